// Package audits is the embedded driver of the audit log, on an SQLite file that it may share with other stores. It never
// changes or removes a row.
package audits
