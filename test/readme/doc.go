// Package readme runs what README.md and docs/first-steps.md tell a newcomer to type.
package readme
