// Package arch holds the shape of the house as a test: which package may import
// and reach which, that every package says what it is for, and how long a file
// may grow. It is never imported.
//
// The table is in rules.go. A package that no rule covers fails the test, so a
// new room is put into the table on purpose, or matched by a rule that is there.
package arch
