// Package usage says what tenants used: per tenant, app and day the requests, recipients, outcomes,
// billable units and cost, equal to the ledger to the unit.
//
// A notification belongs to its tenant, its app and the UTC day on which it was accepted. What it
// used is the sum of its lines, as everywhere: nothing is counted up. Books keep what was summed, so that
// a million notifications a day are not summed for every question, and so that usage outlives the
// notifications:
//
//   - A day of a tenant is one document: its sums by app, and the place up to which the tenant's
//     notifications were walked, in the order in which they were accepted. Whoever walks on writes
//     both at once, on condition of the version that was read. So a notification is in the sums exactly
//     if it stands before the place, whatever is killed in between, and however many processes walk.
//   - What may change yet is also on a list: notifications that are not finished, and those with
//     dead-lettered recipients, which a replay may send again. Lists are documents that never change.
//     To look again, everything on a list is summed anew, what may still change goes on a new list, and one
//     write of the day's document has the new sums and names the new list instead of the old one.
//   - A day that is walked to its end and has no list is closed: it never changes.
//   - The walk stays five minutes behind, because clocks differ and writes take time. What was accepted
//     since is summed when somebody asks, at most once a minute.
//
// Retention asks before it removes ([Room.Taken]): a notification goes after its last sums are
// written. One that is gone keeps the sums that it had.
package usage

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Ledger is the part of the notification ledger that usage is derived from.
type Ledger interface {
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	// Accepted lists up to limit notifications of a tenant that stand behind a place and
	// were accepted before the given time, oldest first.
	Accepted(ctx context.Context, tenant string, after time.Time, id push.ID, before time.Time, limit int) ([]push.Notification, error)
	// Counts sums all lines of a notification: O(lines).
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// Config is what the room is built from.
type Config struct {
	Ledger    Ledger
	Documents document.Store
	// Tenants lists the tenants that exist; those with books are known anyway.
	Tenants func(ctx context.Context) ([]string, error)
	// Cost estimates what a notification costs, in billionths of a dollar: a pure function.
	// nil: nothing.
	Cost func(recipients, billable int64) int64

	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
}

const (
	// settling is how far the walk stays behind: by as much two clocks may differ, and a
	// notification is stored long before.
	settling = 5 * time.Minute
	// page is how many notifications a step of the walk takes, and the longest list: of up to
	// 300 bytes each, a list stays below document.MaxBytes.
	page = 500
	// most bounds the lists of a day, which its document names: two million notifications of a
	// tenant's day that may change yet. The walk waits while there are more.
	most = 4000
	// together is how many notifications are summed at the same time.
	together = 8
)

// Room is the room. Safe for concurrent use, also by several processes.
type Room struct {
	cfg Config

	flights singleflight.Group
	mu      sync.Mutex
	kept    map[string]*recent // by tenant
}

// New returns the room.
func New(cfg Config) *Room {
	if cfg.Cost == nil {
		cfg.Cost = func(int64, int64) int64 { return 0 }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Room{cfg: cfg, kept: map[string]*recent{}}
}
