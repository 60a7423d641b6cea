package sqlite

import (
	"context"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/audits"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/devices"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/documents"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/idempotency"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/ledger"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/letters"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/pages"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// The drivers of the single ports.
type (
	notificationLedger = ledger.Store
	deviceRegistry     = devices.Store
	deadLetters        = letters.Store
	configuration      = documents.Store
	idempotencyRecords = idempotency.Store
	uploadPages        = pages.Store
	auditLog           = audits.Store
)

// Store is the embedded driver of every storage port, on the files of one data
// directory. It is safe for concurrent use; every write is durable when it
// returns.
type Store struct {
	*notificationLedger
	*deviceRegistry
	*deadLetters
	*configuration
	*idempotencyRecords
	*uploadPages
	*auditLog
}

// newStore returns the drivers on two files. Pages are apart from the rest, so
// that megabytes of upload do not stand before a ledger line.
func newStore(main, uploads *db.DB) *Store {
	return &Store{
		notificationLedger: ledger.New(main),
		deviceRegistry:     devices.New(main),
		deadLetters:        letters.New(main),
		configuration:      documents.New(main),
		idempotencyRecords: idempotency.New(main),
		uploadPages:        pages.New(uploads),
		auditLog:           audits.New(main),
	}
}

// CreateRecorded is Create, and if it stores the notification, the entry is in the audit log as soon as that is durable: both
// are in one transaction.
func (s *Store) CreateRecorded(ctx context.Context, n push.Notification, sealer audit.Sealer, e audit.Entry,
) (push.Notification, bool, error) {
	return s.CreateWith(ctx, n, audits.Tail{Sealer: sealer}, []audit.Entry{e})
}
