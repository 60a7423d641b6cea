// Package command runs a command line: it parses the arguments, runs the command
// that they name, and has what every program offers besides its own commands:
// help, completion and the version.
package command
