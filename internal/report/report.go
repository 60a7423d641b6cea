// Package report answers how a notification stands, in numbers that add up and row by row.
// It only reads: it derives every answer from the ledger's lines at the moment of asking,
// so nothing can drift.
package report

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
)

// Notifications is the part of the ledger that holds heads and sums.
type Notifications interface {
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	// Notifications lists a tenant's notifications, newest first.
	Notifications(ctx context.Context, tenant, cursor string, limit int) ([]push.Notification, string, error)
	// Behind returns the cursor with which Notifications goes on behind a place: with
	// what was accepted before that time or, at that time, has a smaller id.
	Behind(accepted time.Time, id push.ID) (cursor string)
	// Counts sums all lines of a notification: O(lines).
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// Chunks is the part of the ledger that holds what happened to each recipient.
type Chunks interface {
	// Lines returns up to limit lines of a notification with sequence >= from, ascending.
	Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error)
	// Plans returns up to limit plans of a notification with sequence >= from, ascending.
	Plans(ctx context.Context, id push.ID, from, limit int) ([]ledger.Plan, error)
	// Attempts returns the evidence of a chunk in the order in which it was saved.
	Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error)
}

// Pages is the part of the page store that says which line a recipient was on.
type Pages interface {
	// Page returns a page, or push.ErrNotFound.
	Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error)
}

// Devices is the part of the registry that says what addresses a device has.
type Devices interface {
	// Device returns one device, or push.ErrNotFound.
	Device(ctx context.Context, tenant string, id push.ID) (push.Device, error)
	// Devices lists a tenant's devices by id, all or one user's.
	Devices(ctx context.Context, tenant, userID, cursor string, limit int) ([]push.Device, string, error)
}

// Config is what the room is built from.
type Config struct {
	Notifications Notifications
	Chunks        Chunks
	Pages         Pages
	Devices       Devices
	Flow          Flow   // nil: nobody knows
	Pauses        Pauses // nil: nothing is ever paused
	Quotas        Quotas // nil: nothing is ever deferred
	Log           *zap.Logger
}

// Reader is the room. Safe for concurrent use.
type Reader struct {
	cfg   Config
	sums  *sums
	names pageCache
	flows flows
	now   func() time.Time
	scans chan struct{} // a place for each scan over plans that may run, see byRecipient

	mu      sync.Mutex
	feeds   map[feedKey]*feed
	stopped bool
	looking sync.WaitGroup
}

// New returns the room.
func New(cfg Config) *Reader {
	return &Reader{
		cfg: cfg, sums: newSums(cfg.Notifications, time.Now), scans: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		feeds: map[feedKey]*feed{}, now: time.Now,
	}
}

// View is how a notification stands at one moment. Accepted is the sum of all classes of
// Counts and of the sources that are in no chunk yet.
type View struct {
	Notification push.Notification
	Counts       ledger.Counts
	// State is the stored one, or completed as soon as nothing is open.
	State    push.State
	Accepted int64 // deliveries known so far: planned ones, and one for each source not planned yet
	Open     int64 // those without an outcome
	// Waiting is what it waits for, nil if nothing of it waits. It may change while the
	// Revision stays.
	Waiting *Waiting
	// Revision grows with every change of the view and never falls, whichever process
	// answers.
	Revision int64
}

// Done reports whether nothing more will happen unless somebody acts: every delivery has
// its outcome, or an operator has to look. A cancelled notification is done when its last
// delivery is.
func (v *View) Done() bool {
	switch v.State {
	case push.StateCompleted, push.StateDeadLettered:
		return true
	case push.StateCancelled:
		return v.Open == 0
	case push.StateUploading, push.StateAccepted, push.StateSending, push.StateHeld, push.StatePaused:
	}
	return false
}

// Notification returns how a notification or batch stands, or push.ErrNotFound.
// It costs one read of the head, and one query over the lines, O(chunks), that
// is shared by all callers within at most half a second (see sums).
func (r *Reader) Notification(ctx context.Context, tenant string, id push.ID) (View, error) {
	return r.balanced(ctx, tenant, id, false)
}

// Standing is Notification for one whose head the caller has just read, of whatever tenant.
func (r *Reader) Standing(ctx context.Context, n *push.Notification) (View, error) {
	return r.viewOf(ctx, *n, false)
}

// look does what Notification does, with fresh counts.
func (r *Reader) look(ctx context.Context, tenant string, id push.ID) (View, error) {
	return r.balanced(ctx, tenant, id, true)
}

func (r *Reader) balanced(ctx context.Context, tenant string, id push.ID, fresh bool) (View, error) {
	v, err := r.view(ctx, tenant, id, fresh)
	if err != nil {
		return View{}, err
	}
	if v.Counts.Balance(v.Notification.Progress.Sources) == nil {
		return v, nil
	}
	// Head and lines are two reads: an upload, start and planning in between
	// look like an imbalance, which a second look removes.
	if v, err = r.view(ctx, tenant, id, true); err != nil {
		return View{}, err
	}
	if err := v.Counts.Balance(v.Notification.Progress.Sources); err != nil {
		// The owner needs an answer nevertheless, and these are the numbers.
		r.cfg.Log.Error("the counts of a notification do not add up", about.Notification(&v.Notification), zap.Error(err))
	}
	return v, nil
}

func (r *Reader) view(ctx context.Context, tenant string, id push.ID, fresh bool) (View, error) {
	n, err := r.owned(ctx, tenant, id)
	if err != nil {
		return View{}, err
	}
	return r.viewOf(ctx, n, fresh)
}

// viewOf returns how a notification stands whose head was read a moment ago.
func (r *Reader) viewOf(ctx context.Context, n push.Notification, fresh bool) (View, error) {
	c, err := r.sums.of(ctx, n.ID, n.Progress.Version, fresh)
	if err != nil {
		return View{}, err
	}
	unplanned := c.Unplanned(n.Progress.Sources)
	v := View{
		Notification: n, Counts: c, State: ledger.StateOf(&n, &c),
		Accepted: c.Recipients + unplanned, Open: c.ByCode[push.CodeOpen] + unplanned,
		Revision: n.Progress.Version + c.Revision(),
	}
	v.Waiting = r.waiting(ctx, &v, r.now())
	return v, nil
}

// owned returns a tenant's own notification; another tenant's is push.ErrNotFound.
func (r *Reader) owned(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	n, err := r.cfg.Notifications.Notification(ctx, id)
	if err != nil {
		return push.Notification{}, fmt.Errorf("read %s: %w", id, err)
	}
	if n.Tenant != tenant {
		return push.Notification{}, fmt.Errorf("%s: %w", id, push.ErrNotFound)
	}
	return n, nil
}

// within returns a listing's limit inside its range.
func within(limit int) int {
	const usual, most = 100, 1000
	if limit <= 0 {
		return usual
	}
	return min(limit, most)
}
