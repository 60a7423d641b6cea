package sqlite

import (
	"context"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
)

// PulseLedger finds out whether the ledger, the registry and the dead letters
// can be written, by a small write that is synced to the disk. Its error is a
// push.Outage and names who holds it up. It may be called at any time and rate.
func (b *Backend) PulseLedger(ctx context.Context) error { return b.main.Pulse(ctx) }

// PulseQueues is PulseLedger for the queues.
func (b *Backend) PulseQueues(ctx context.Context) error { return b.queues.Pulse(ctx) }

// PulsePages is PulseLedger for the pages of uploads.
func (b *Backend) PulsePages(ctx context.Context) error { return b.pages.Pulse(ctx) }

// Space returns what is free on the disk of the data directory for this user, and its size.
func (b *Backend) Space() (free, size uint64, err error) { return db.DiskSpace(b.dir) }
