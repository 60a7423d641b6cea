// Package audits is the embedded driver of the audit log, on an SQLite file that it may share with other stores. It never
// changes a row, and removes what a signed checkpoint covers.
package audits
