// Package examples runs what stands in examples/, as its readers do, against our
// programs as processes of their own, and looks at what it prints and causes. The
// TypeScript example is run by test/apidoc, which has its compiler.
package examples
