// Package readme runs what README.md tells a newcomer to type.
package readme
