// Package idempotency is the embedded driver of idempotency records, on an SQLite
// file that it may share with other stores.
package idempotency
