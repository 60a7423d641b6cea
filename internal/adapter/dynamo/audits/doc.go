// Package audits is the DynamoDB driver of the audit log, in the table of configuration: a block is one item, in a partition
// of its tenant. It never changes or deletes an item, and none expires.
package audits
