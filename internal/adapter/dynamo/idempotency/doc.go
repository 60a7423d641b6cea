// Package idempotency is the DynamoDB driver of idempotency records, in the table of
// configuration.
package idempotency
