// Package display is what the command lines share: where they write to, the forms
// of output, exit codes, and how an error is told to a person.
package display
