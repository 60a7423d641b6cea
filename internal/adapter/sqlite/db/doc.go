// Package db is what the drivers on SQLite stand on: one database file with one
// writer, which commits what waits for it in one transaction, and a pool of
// readers; its schema's migrations, its write-ahead log, and the row by which it
// knows its data directory.
//
// It knows no table of a store. Every error of SQLite leaves it with its
// push.Outage, if it means one.
package db
