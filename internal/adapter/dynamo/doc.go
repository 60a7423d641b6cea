// Package dynamo is the DynamoDB driver of the notification ledger, the device
// registry, idempotency records, dead letters and configuration documents.
//
// One item is the unit of atomicity: there are no transactions, which cost
// twice and do not work on global tables. Whatever spans items is written in an
// order that makes a crash in between either invisible or repaired by the next
// writer or reader; the comment of each such write states the order and the
// repair. docs/dynamodb.md draws the tables and gives the cost of every
// operation.
//
// Every store has a package of its own below this one (ledger, devices, letters,
// documents, idempotency), and all of them stand on table. This package puts them
// together and makes their tables.
//
// The driver knows no SQS, no S3, and decides nothing about outcomes. Bounded
// retries of single calls are the SDK client's, set by whoever builds it; this
// package only waits for the rest of a batch that DynamoDB left unprocessed.
package dynamo
