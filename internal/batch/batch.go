package batch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Ledger is the part of the notification ledger that a batch's life needs.
type Ledger interface {
	ledger.Progresser
	// Counts sums all lines of a notification: O(lines).
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// UploadPages is the part of [Pages] that an upload needs. The promise that no
// line is counted twice rests on its conditional put.
type UploadPages interface {
	// PutPage stores data unless the page exists; it returns what is stored now.
	PutPage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) ([]byte, error)
	// Page returns a page, or push.ErrNotFound.
	Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error)
}

// Quotas count what is accepted.
type Quotas interface {
	// Count counts recipients, or returns a [*push.OverQuotaError], or that the quotas are not known.
	Count(ctx context.Context, c push.Charge) error
	// Undo takes back what was counted of what was not accepted.
	Undo(ctx context.Context, c push.Charge)
	// Largest returns the most recipients that may be counted at once, most if no quota is less.
	Largest(ctx context.Context, tenant, app string, most int) (int, error)
}

// Config is what the room is built from. Zero limits mean their defaults.
type Config struct {
	Ledger  Ledger
	Pages   UploadPages
	Tasks   worker.Sink // the notifications queue
	Quotas  Quotas      // nil: there are none
	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time

	// Changed is told what somebody has changed of a batch or notification, once that is durable, and nothing if it was so
	// before. It must be quick. Nil: nobody is told.
	Changed func(change Change, n *push.Notification)
	// Ended is told of what ends without recipients, once; of everything else whoever gives the last outcome tells. Nil:
	// nobody is told.
	Ended func(ctx context.Context, n *push.Notification)

	// PageRecipients and PageBytes end a page: 1 to 2,800 recipients and 1 to
	// 480 KiB of them. That is about eight chunks, so that a million lines are
	// some 360 pages, which dispatchers plan side by side.
	PageRecipients int
	PageBytes      int
	// SpoolBytes bounds what an all-or-nothing upload may keep in memory: 64 MiB,
	// about 200,000 plain tokens. All such uploads together may keep spoolsAtOnce times
	// as much; an upload that finds no memory left gets [ErrBusy].
	SpoolBytes int
	// IndexBytes bounds the memory for uploaded recipients of all batches, by which
	// duplicates are found: 256 MiB, at least 12 million recipients. Recipients beyond
	// it are taken as well; a repetition of one that is not remembered is noticed only
	// within its page, by fanout.
	IndexBytes int
}

// The limits' defaults, which are their upper bounds for a page.
const (
	maxPageRecipients = 2800
	maxPageBytes      = 480 << 10
	defaultSpoolBytes = 64 << 20
	defaultIndexBytes = 256 << 20
	spoolsAtOnce      = 4
)

// ErrBusy says that this process has no memory for another all-or-nothing
// upload now. Nothing of it was taken; try again later.
var ErrBusy = errors.New("too many all-or-nothing uploads at once")

// Batches is the room: uploads, start, pause, resume and cancel. Safe for
// concurrent use, also by several processes on one batch.
type Batches struct {
	cfg     Config
	indexes *indexes
	spools  atomic.Int64 // bytes that all-or-nothing uploads keep in memory
}

// New returns the room.
func New(cfg Config) *Batches {
	cfg.PageRecipients = limit(cfg.PageRecipients, maxPageRecipients)
	cfg.PageBytes = limit(cfg.PageBytes, maxPageBytes)
	if cfg.SpoolBytes <= 0 {
		cfg.SpoolBytes = defaultSpoolBytes
	}
	if cfg.IndexBytes <= 0 {
		cfg.IndexBytes = defaultIndexBytes
	}
	return &Batches{cfg: cfg, indexes: newIndexes(cfg.IndexBytes)}
}

func limit(v, most int) int {
	if v <= 0 {
		return most
	}
	return min(v, most)
}

// Change is what somebody has changed of a batch or notification, in a word.
type Change string

// The changes. The set is closed.
const (
	Uploaded  Change = "uploaded"  // an upload brought recipients, or lines that were refused
	Started   Change = "started"   // sending begins
	Finished  Change = "finished"  // the upload of a batch that was started early
	Paused    Change = "paused"    // nothing of it is sent
	Resumed   Change = "resumed"   // sending goes on
	Cancelled Change = "cancelled" // what is open is given up
)

// The operations, as a [push.StateError] names them.
const (
	opUpload     = "upload"
	opStart      = "start"
	opStartEarly = "start early"
	opPause      = "pause"
	opResume     = "resume"
	opCancel     = "cancel"
)

// owned returns push.ErrNotFound unless the notification is the tenant's: a tenant must
// not learn that another's exists.
func owned(n *push.Notification, tenant string) error {
	if n.Tenant != tenant {
		return fmt.Errorf("%s: %w", n.ID, push.ErrNotFound)
	}
	return nil
}

// illegal is the error for an operation that the notification's state forbids.
func illegal(n *push.Notification, state push.State, op string) error {
	if n.Progress.Held.Any() && (state == push.StateAccepted || state == push.StateSending) {
		state = push.StateHeld
	}
	return &push.StateError{ID: n.ID, State: string(state), Op: op, Legal: legal(n, state)}
}

// legal lists the operations that are allowed in a state.
func legal(n *push.Notification, state push.State) []string {
	var more []string
	if n.Progress.Early {
		more = []string{opUpload, opStart}
	}
	switch state {
	case push.StateUploading:
		return []string{opUpload, opStart, opStartEarly, opCancel}
	case push.StateAccepted, push.StateSending:
		return append(more, opPause, opCancel)
	case push.StateHeld:
		return append(more, opPause, opResume, opCancel)
	case push.StatePaused:
		return append(more, opResume, opCancel)
	case push.StateDeadLettered:
		return []string{opCancel}
	case push.StateCompleted, push.StateCancelled:
		return nil
	default:
		return nil
	}
}

// dispatch takes a notification out of the outbox: it puts its task on the
// queue, then marks it. A failure of either loses nothing: while Enqueued is false in the
// ledger, the sweeper sends the task again, and a task that comes twice is harmless. So
// an error is logged and not returned.
func (b *Batches) dispatch(ctx context.Context, n push.Notification) push.Notification {
	op := taskOp(n.Progress.State)
	body, err := wire.EncodeTask(wire.Task{Op: op, Notification: n.ID, Page: wire.AllPages, TraceParent: n.TraceParent})
	if err == nil {
		err = b.cfg.Tasks.Send(ctx, []worker.Outgoing{{Body: body, Group: n.Tenant}})
	}
	if err != nil {
		b.cfg.Log.Warn("enqueue failed; the sweeper will send it", about.Notification(&n), zap.Error(err))
		return n
	}
	marked, err := ledger.Advance(ctx, b.cfg.Ledger, n.ID, func(now push.Notification) (push.Progress, error) {
		p := now.Progress
		// A cancellation that came in between has a task of its own to send.
		if taskOp(p.State) == op {
			p.Enqueued = true
		}
		return p, nil
	})
	if err != nil {
		b.cfg.Log.Warn("marking as enqueued failed; the sweeper will send it again", about.Notification(&n), zap.Error(err))
		return n
	}
	return marked
}

func taskOp(s push.State) wire.Op {
	if s == push.StateCancelled {
		return wire.OpCancel
	}
	return wire.OpPlan
}
