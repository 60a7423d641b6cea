// Package provision says what Belfry needs of an AWS account and makes it:
// queues with their dead-letter queues, topics, tables and the bucket.
//
// [Desired] is the whole of it as data; the infrastructure modules under infra/
// are tested against the same data. A [Provisioner] compares it with what the
// account has ([Provisioner.Plan]) and makes what is missing
// ([Provisioner.Apply]). What exists and differs is left alone unless the caller
// insists, and nothing is ever deleted: neither a resource, nor a statement of a
// queue's policy or a bucket's rule that is not Belfry's own.
//
// The package reads and writes no messages, items or objects. Its calls are
// those of an operator, some dozens, and are not metered.
package provision
