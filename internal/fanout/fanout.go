// Package fanout turns an accepted notification into chunks: it resolves users
// and devices to addresses, cuts the recipients at fixed boundaries, records
// the plan in the ledger, and only then puts the chunks on a delivery queue.
//
// Every step is repeatable. A task that runs twice finds the first run's plan
// and sends what is still planned; so the same code serves planning, resume
// after a pause, and repair after a crash. The order is: resolved page, ledger
// lines in ascending sequence, chunk messages, delete the task. A crash between
// any two leaves a task that is delivered again.
package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Notifications are the heads of the notifications to plan.
type Notifications interface {
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	Advance(ctx context.Context, id push.ID, next push.Progress) error
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// Lines are the chunks' ledger lines.
type Lines interface {
	// Lines returns up to limit lines of a notification with sequence >= from, ascending.
	Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error)
	Plan(ctx context.Context, plans []ledger.Plan, now time.Time) ([]ledger.Line, error)
	SaveLine(ctx context.Context, line ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error
	// Attempts returns the evidence of a chunk in the order in which it was saved.
	Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error)
}

// Pages hold recipients: as uploaded, and as resolved.
type Pages interface {
	PutPage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) ([]byte, error)
	Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error)
}

// Finder is the part of the registry that says whom a target reaches. Lookups never fail
// for what is not there, and take up to 1000 keys.
type Finder interface {
	ReachByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error)
	DevicesByUser(ctx context.Context, tenant string, users []string) (map[string][]push.Device, error)
	DevicesByID(ctx context.Context, tenant string, ids []push.ID) (map[push.ID]push.Device, error)
}

// Erasures knows whom nothing is sent to any more, because they were erased.
type Erasures interface {
	// Current makes sure that what Erased goes by is a few seconds old at most.
	Current(ctx context.Context) error
	// Erased reports whether a recipient of a notification that was accepted at that time is
	// not sent to. It asks nobody.
	Erased(tenant string, r *push.Recipient, accepted time.Time) bool
}

// Completed is called when a notification has no open delivery any more.
type Completed func(ctx context.Context, n push.Notification, c ledger.Counts)

// Settled is called with a line that planning or a cancellation has closed. There are no
// notes about devices: nothing was sent.
type Settled func(ctx context.Context, n *push.Notification, line *ledger.Line, notes []push.DeviceNote)

// Config is what the room is built from.
type Config struct {
	Notifications Notifications
	Lines         Lines
	Pages         Pages
	Devices       Finder
	Erasures      Erasures                  // nil: nobody is erased
	Quotas        Quotas                    // nil: what was deferred starts at once
	Tasks         worker.Sink               // the notifications queue
	Chunks        map[push.Lane]worker.Sink // the delivery queues
	Completed     Completed                 // may be nil
	Settled       Settled                   // may be nil
	// RecordUnknown has deliver remember the addresses that the registry does not know.
	RecordUnknown bool
	Log           *zap.Logger
	Metrics       *Metrics
	Now           func() time.Time
	Tracer        *trace.Tracer // nil: nobody sees spans
}

// Fanout handles tasks of the notifications queue. Safe for concurrent use.
type Fanout struct {
	cfg      Config
	registry registry
	turns    *turns // of pages of uploads
}

// New returns the room.
func New(cfg Config) (*Fanout, error) {
	cache, err := newKnownCache()
	if err != nil {
		return nil, err
	}
	if cfg.Erasures == nil {
		cfg.Erasures = nobodyErased{}
	}
	return &Fanout{
		cfg: cfg, registry: registry{finder: cfg.Devices, known: cache}, turns: newTurns(cfg.Now),
	}, nil
}

// Close ends what runs in the background: the upkeep of the cache. The room must not be
// used after that.
func (f *Fanout) Close() { f.registry.known.StopAllGoroutines() }

// retryPause is how long a task waits when a store is away.
const retryPause = 5 * time.Second

// Handle implements worker.Handler.
func (f *Fanout) Handle(ctx context.Context, msg worker.Message, _ <-chan struct{}) worker.Verdict {
	task, err := wire.DecodeTask(msg.Body)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	task.QueuedAt = msg.SentAt
	span := f.span(&task, &msg)
	v := f.verdict(ctx, task, msg.Group, msg.Letter != nil, span)
	f.tell(span, &task, v)
	return v
}

// verdict runs a task, and says what is to become of its message.
func (f *Fanout) verdict(ctx context.Context, task wire.Task, tenant string, died bool, span *trace.Span) worker.Verdict {
	v, err := f.handle(ctx, task, died)
	if waits, ok := errors.AsType[*laterError](err); ok {
		v, err = later(task, waits.wait)
	}
	if err == nil {
		return v
	}
	if un, ok := errors.AsType[*unexpandableError](err); ok {
		return f.giveUp(ctx, task, tenant, un)
	}
	span.Fail("store")
	f.cfg.Log.Warn("task failed; trying again", about.Named(task.Notification, tenant, task.TraceParent),
		zap.String("op", string(task.Op)), zap.Error(err))
	return worker.RetryAfter(retryPause, nil)
}

// handle runs a task. A task that died and was moved back by its queue's redrive is
// tried again, like one that an operator replays.
func (f *Fanout) handle(ctx context.Context, task wire.Task, died bool) (worker.Verdict, error) {
	if died {
		if err := ledger.Revive(ctx, f.cfg.Notifications, task.Notification); err != nil {
			return worker.Verdict{}, err
		}
	}
	if !ofUpload(&task) {
		return f.run(ctx, task)
	}
	done, later, err := f.turns.take(ctx) // before anything is read that may change meanwhile
	if err != nil {
		return worker.Verdict{}, err
	}
	if later > 0 {
		return worker.RetryAfter(later, nil), nil
	}
	defer done()
	return f.run(ctx, task)
}

// ofUpload reports whether a task reads a page of an upload, which takes up to 15 MB in memory: more of them at once than
// there are processors would only take more of it.
func ofUpload(t *wire.Task) bool {
	return t.Notification.IsBatch() && t.Op != wire.OpCheck && t.Op != wire.OpRelease && t.Page != wire.AllPages
}

// unexpandableError says that a notification cannot be planned, however often planning
// is tried.
type unexpandableError struct{ why string }

func (e *unexpandableError) Error() string { return e.why }

// giveUp marks the notification and puts the task on the dead-letter queue.
func (f *Fanout) giveUp(ctx context.Context, t wire.Task, tenant string, why *unexpandableError) worker.Verdict {
	_, err := ledger.Advance(ctx, f.cfg.Notifications, t.Notification, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		if push.CanMove(p.State, push.StateDeadLettered) {
			p.State, p.Early = push.StateDeadLettered, false
			p.CompletedAt = f.cfg.Now().UTC()
			p.Enqueued = true
		}
		return p, nil
	})
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		f.cfg.Log.Warn("marking as dead-lettered failed; trying again", about.Named(t.Notification, tenant, t.TraceParent), zap.Error(err))
		return worker.RetryAfter(retryPause, nil)
	}
	return worker.Dead(push.CodeUnexpandable, why.Error())
}

func (f *Fanout) run(ctx context.Context, t wire.Task) (worker.Verdict, error) {
	n, err := f.cfg.Notifications.Notification(ctx, t.Notification)
	if errors.Is(err, push.ErrNotFound) {
		return worker.Verdict{}, &unexpandableError{"the ledger has no such notification"}
	}
	if err != nil {
		return worker.Verdict{}, fmt.Errorf("read the notification: %w", err)
	}
	if t.Op == wire.OpRecall {
		return worker.Ack(), f.recall(ctx, t, n)
	}
	switch n.Progress.State {
	case push.StateAccepted, push.StateSending, push.StateHeld, push.StateCancelled:
	case push.StatePaused:
		if t.Op == wire.OpCheck || t.Op == wire.OpPlan && t.Page == wire.AllPages {
			return f.checkPaused(ctx, t, n)
		}
		return worker.Ack(), nil // resume sends a task of its own
	case push.StateUploading, push.StateCompleted, push.StateDeadLettered:
		return worker.Ack(), nil // nothing to do now; start sends its own task
	}
	switch {
	case t.Op == wire.OpCheck:
		return f.check(ctx, t, n)
	case t.Op == wire.OpRelease, t.Op == wire.OpPlan && t.Page == wire.AllPages && stepwise(&n):
		return f.release(ctx, t, n)
	case t.Page == wire.AllPages && n.Progress.Pages != 1:
		return worker.Ack(), f.spread(ctx, t, n, 0)
	}
	if t.Page >= n.Progress.Pages {
		return worker.Dead(push.CodeUnexpandable, fmt.Sprintf("page %d of a notification of %d pages", t.Page, n.Progress.Pages)), nil
	}
	return worker.Ack(), f.planPage(ctx, t, n, max(t.Page, 0))
}

// spread asks for every page from one on by a task of its own, so that several
// dispatchers plan one batch together, and for a check of the whole.
func (f *Fanout) spread(ctx context.Context, t wire.Task, n push.Notification, from int) error {
	msgs, err := f.pageTasks(t, n, from)
	if err != nil {
		return err
	}
	last, err := f.checkLater(n, 0, t.TraceParent)
	if err != nil {
		return err
	}
	return worker.SendAll(ctx, f.cfg.Tasks, append(msgs, last))
}

// pageTasks returns a task for each page from one on.
func (f *Fanout) pageTasks(t wire.Task, n push.Notification, from int) ([]worker.Outgoing, error) {
	op := t.Op
	if op == wire.OpRelease {
		op = wire.OpPlan
	}
	var msgs []worker.Outgoing
	for page := from; page < n.Progress.Pages; page++ {
		body, err := wire.EncodeTask(wire.Task{Op: op, Notification: n.ID, Page: page, TraceParent: t.TraceParent})
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, worker.Outgoing{Body: body, Group: n.Tenant})
	}
	return msgs, nil
}

// checkLater returns the message that makes fanout look whether the notification is
// done: after 2 s, then less and less often, but at least every minute. Each look is one
// query over the lines, O(chunks).
func (f *Fanout) checkLater(n push.Notification, turn int, traceParent string) (worker.Outgoing, error) {
	body, err := wire.EncodeTask(wire.Task{Op: wire.OpCheck, Notification: n.ID, Page: wire.AllPages, Turn: turn, TraceParent: traceParent})
	return worker.Outgoing{Body: body, Group: n.Tenant, Delay: checkWait(turn)}, err
}

func checkWait(turn int) time.Duration {
	const first, most = 2 * time.Second, time.Minute
	return min(first<<min(turn, 5), most)
}

func (f *Fanout) check(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	counts, err := f.cfg.Notifications.Counts(ctx, n.ID)
	if err != nil {
		return worker.Verdict{}, fmt.Errorf("count outcomes: %w", err)
	}
	return f.look(ctx, t, n, counts)
}

// look completes a notification that is done, or looks again later.
func (f *Fanout) look(ctx context.Context, t wire.Task, n push.Notification, counts ledger.Counts) (worker.Verdict, error) {
	if !n.Progress.Early && counts.Done(n.Progress.Pages) {
		return worker.Ack(), f.complete(ctx, n, counts)
	}
	next, err := f.checkLater(n, t.Turn+1, t.TraceParent)
	if err != nil {
		return worker.Verdict{}, err
	}
	return worker.RetryAfter(next.Delay, next.Body), nil
}

// checkPaused is check for a paused notification: the chunks that were under way at the
// pause may have been the last ones, and nobody resumes a notification that is over. If
// pages wait to be planned or uploaded, resume and start send another check.
func (f *Fanout) checkPaused(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	counts, err := f.cfg.Notifications.Counts(ctx, n.ID)
	if err != nil {
		return worker.Verdict{}, fmt.Errorf("count outcomes: %w", err)
	}
	if n.Progress.Early || counts.PagesPlanned < n.Progress.Pages {
		return worker.Ack(), nil
	}
	return f.look(ctx, t, n, counts)
}

// complete records that nothing is open. A notification that is cancelled, or whose
// upload goes on, keeps its state. The completion is published once, unless a crash comes
// in between.
func (f *Fanout) complete(ctx context.Context, n push.Notification, counts ledger.Counts) error {
	now := f.cfg.Now().UTC()
	first := false
	done, err := ledger.Advance(ctx, f.cfg.Notifications, n.ID, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		first = false
		switch {
		case push.CanMove(p.State, push.StateCompleted) && !p.Early:
			first = true
			p.State, p.CompletedAt, p.Enqueued = push.StateCompleted, now, true
		case p.State == push.StateCancelled && !p.Finished:
			first, p.Finished = true, true
		}
		return p, nil
	})
	if err != nil {
		return fmt.Errorf("complete %s: %w", n.ID, err)
	}
	if first && f.cfg.Completed != nil {
		f.cfg.Completed(ctx, done, counts)
	}
	return nil
}
