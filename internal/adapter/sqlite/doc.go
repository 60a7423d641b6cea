// Package sqlite is the embedded driver of every storage and queue port: one
// data directory, three database files, no server.
//
//	queue.db   every queue, with the semantics of SQS
//	store.db   notifications, ledger, devices, dead letters, documents
//	pages.db   upload pages, large and short-lived
//
// Each file has one writer per process, which commits what waits for it in one
// transaction (group commit), and a pool of readers. A nil error of any write
// means that it survives a power cut: the write-ahead log is synced before the
// answer. Several processes of one machine may share a data directory; network
// file systems are not supported (https://www.sqlite.org/wal.html).
//
// Every store has a package of its own below this one (queue, ledger, devices,
// letters, documents, idempotency, pages), and all of them stand on db, lock and
// rows. This package is the data directory: it opens the files and puts the stores
// on them, copies, examines and repairs them. It knows the ports' words and nothing
// of the rooms that use them.
package sqlite
