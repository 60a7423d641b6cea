// Package letters is the embedded driver of dead letters, on an SQLite file that
// it may share with other stores. What becomes of a letter is decided elsewhere.
package letters
