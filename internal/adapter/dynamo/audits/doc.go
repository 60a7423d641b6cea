// Package audits is the DynamoDB driver of the audit log, in the table of configuration: a block is one item, in a partition
// of its tenant. It never changes a block, and deletes those that a signed checkpoint covers. None expires: TTL goes by no
// order.
package audits
