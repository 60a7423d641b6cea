// Package table is what the stores on DynamoDB stand on: tables as data, items and
// their attributes, expressions, the calls with what they consumed, batches and
// walks over shards, cursors, and DynamoDB's errors by kind.
//
// It knows no store and decides nothing. Bounded retries of single calls are the
// SDK client's; this package only waits for the rest of a batch that DynamoDB left
// unprocessed.
package table
