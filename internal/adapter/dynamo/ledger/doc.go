// Package ledger is the DynamoDB driver of notifications and of their chunks' lines,
// plans and evidence. The arithmetic of a line is not its business but
// internal/ledger's.
package ledger
