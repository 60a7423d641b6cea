// Package ledger is the embedded driver of notifications and of their chunks'
// lines, plans and evidence, on an SQLite file that it may share with other stores.
// The arithmetic of a line is not its business but internal/ledger's.
package ledger
