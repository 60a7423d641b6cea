// Package pages is the embedded driver of upload pages, on an SQLite file of their
// own: they are large and live for hours.
package pages
