// Package queue is the embedded driver of the queue port: queues with the
// semantics of SQS in one SQLite file. It knows nothing of what messages mean.
package queue
