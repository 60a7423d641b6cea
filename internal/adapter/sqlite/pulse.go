package sqlite

import "context"

// PulseLedger finds out whether the ledger, the registry and the dead letters
// can be written, by a small write that is synced to the disk. Its error is a
// push.Outage and names who holds it up. It may be called at any time and rate.
func (b *Backend) PulseLedger(ctx context.Context) error { return b.main.Pulse(ctx) }

// PulseQueues is PulseLedger for the queues.
func (b *Backend) PulseQueues(ctx context.Context) error { return b.queues.Pulse(ctx) }

// PulsePages is PulseLedger for the pages of uploads.
func (b *Backend) PulsePages(ctx context.Context) error { return b.pages.Pulse(ctx) }
