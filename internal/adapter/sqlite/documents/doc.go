// Package documents is the embedded driver of configuration documents, on an
// SQLite file that it may share with other stores. It does not read them.
package documents
