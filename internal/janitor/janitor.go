// Package janitor heals the ledger: it finds what a queue has lost, and has it sent
// anew, or ended if its time is over.
//
// A queue loses messages when it is purged, made anew, restored from another moment,
// or its file is gone. Then the ledger shows a notification that is not finished and
// does not move. The janitor lists unfinished notifications only, reads their lines,
// and asks fanout by tasks:
//
//	chunks planned, waiting or claimed for too long   recall their pages
//	pages that are not planned                        plan them
//	a throttled batch that stands still               a new chain of releases
//	nothing open, but not completed                   check
//	something open past the deadline                  recall: it expires
//
// It writes no line itself. Its tasks are conditional on what it has seen, and harmless
// if it was wrong: a new message makes older copies stale. So any number of janitors may
// run, though one at a time does ([Janitor.Run]).
//
// "Too long" is longer than a queue can delay a message, or a worker that died can hide
// it; six times that while the queue is so full that the message may still be in it. A
// line whose retry is due later shows that itself. An operator who knows that a queue
// was lost says so ([Suspect]): then the janitor does not wait.
package janitor

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Ledger is the part of the notification ledger that the janitor reads.
type Ledger interface {
	ledger.Progresser
	// Unfinished lists the notifications that may have open recipients and were accepted
	// before the given time, oldest first.
	Unfinished(ctx context.Context, before time.Time, cursor string, limit int) ([]push.Notification, string, error)
	// Lines returns up to limit lines of a notification with sequence >= from, ascending.
	Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error)
}

// Replays looks after the letters that a replay sent again: only the letters know what
// their messages held, and their notifications may have been finished long ago.
type Replays interface {
	// Reconcile continues over the letters that were sent again before the given time and
	// have no outcome. It sends lost chunks anew, or ends them. lost reports whether a
	// chunk is lost, by the queue that its message was sent to, the time at which its line
	// was written, and the time at which it is due, zero for at once. suspect is the time
	// before which all messages are suspected to be lost; when it changes, Reconcile begins
	// anew. It returns how many chunks were lost, and whether it has come to the end of
	// the pass.
	Reconcile(ctx context.Context, before, suspect time.Time,
		lost func(ctx context.Context, queue string, written, due time.Time) (bool, error)) (int, bool, error)
}

// Publisher publishes events.
type Publisher interface {
	Publish(ctx context.Context, events []wire.Event) error
}

// Config is what the room is built from.
type Config struct {
	Ledger    Ledger
	Documents document.Store // who is the janitor, and what was lost
	Tasks     worker.Sink    // the notifications queue
	Queues    map[string]worker.Gauge
	Replays   Replays   // may be nil
	Events    Publisher // may be nil
	Source    string    // CloudEvents source of outgoing events, a URI
	Owner     string    // names this process; unique per start

	// Late is how long after the last sign of life a message counts as lost if its queue
	// cannot hold it any more: at least a second, default 20 min, five more than a queue
	// can delay a message.
	Late time.Duration
	// Visibility is the queues' visibility timeout: how long the message of a worker that
	// died stays invisible. It is added to Late.
	Visibility time.Duration
	// Every is how often a round begins, default 30 s, and half of Late if that is
	// less.
	Every time.Duration

	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
}

const (
	defaultLate  = 20 * time.Minute
	defaultEvery = 30 * time.Second

	// doubt is the factor of Late while the queue may still hold the message.
	doubt = 6
	// These are never longer than Late.
	//
	// grace is the time after a deadline that is left to deliver and fanout, and the least
	// age of a notification that is looked at.
	grace = time.Minute
	// checked is how long a notification may have nothing open without being completed:
	// fanout looks at least every minute.
	checked = 5 * time.Minute

	// listed is how many notifications are listed at once, and read how many lines.
	listed = 200
	read   = 256
	// seldom is the part of Late before a notification with more lines than one read
	// returns is read again: reading a batch of a million costs 450 units on DynamoDB.
	seldom = 4
	// pace bounds the reads of a second, so that a round over a million open
	// notifications takes half an hour and a twentieth of a core.
	pace = 500
)

// Janitor is the room. Several processes may each run one; a Janitor runs one round at
// a time.
type Janitor struct {
	cfg Config

	grace, checked time.Duration

	limiter *rate.Limiter
	lease   lease
	next    map[push.ID]time.Time // when a large notification is looked at again; a round's alone
}

// New returns the room.
func New(cfg Config) *Janitor {
	if cfg.Late <= 0 {
		cfg.Late = defaultLate
	}
	if cfg.Every <= 0 {
		cfg.Every = min(defaultEvery, max(cfg.Late/2, time.Second))
	}
	return &Janitor{
		cfg: cfg, grace: min(grace, cfg.Late), checked: min(checked, cfg.Late), limiter: rate.NewLimiter(pace, pace),
		next:  map[push.ID]time.Time{},
		lease: lease{docs: cfg.Documents, owner: cfg.Owner, now: cfg.Now, patience: 3 * cfg.Every},
	}
}

// Run looks after the ledger until ctx ends, whenever no other process does: the active
// janitor of a deployment gives a sign of life every round, and another one takes over
// after three rounds of silence.
func (j *Janitor) Run(ctx context.Context) {
	tick := time.NewTicker(j.cfg.Every)
	defer tick.Stop()
	defer func() {
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		j.lease.release(ctx)
	}()
	var ailing telemetry.Ailing
	for {
		err := j.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		ailing.Note(j.cfg.Log, "looking for lost messages", err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// turn makes a round if it is this process's turn.
func (j *Janitor) turn(ctx context.Context) error {
	mine, err := j.lease.hold(ctx)
	j.cfg.Metrics.leads(mine)
	if err != nil || !mine {
		return err
	}
	_, err = j.Round(ctx)
	return err
}

// Round goes once over all unfinished notifications. It costs a read of each, and a read
// per 256 lines of those that do not move; finished ones cost nothing.
func (j *Janitor) Round(ctx context.Context) (Found, error) {
	began := j.cfg.Now()
	s, err := j.suspicion(ctx)
	if err != nil {
		return Found{}, err
	}
	r := round{Janitor: j, lost: s.lost(began), depths: map[string]depth{}, renewed: began, next: map[push.ID]time.Time{}}
	if err = r.all(ctx); err == nil {
		j.next = r.next // forgets those that are finished
	}
	whole := true
	if err == nil && j.cfg.Replays != nil {
		whole, err = r.replays(ctx, began)
	}
	if err == nil && whole && !r.lost.IsZero() {
		err = j.healed(ctx, s)
	}
	j.cfg.Metrics.round(&r.found, j.cfg.Now(), err)
	if r.found.Any() {
		r.found.log(j.cfg.Log, r.lost)
	}
	return r.found, err
}

// late returns after how long a message counts as lost; sure says that the queue does
// not hold it any more.
func (j *Janitor) late(sure bool) time.Duration {
	d := j.cfg.Late
	if !sure {
		d *= doubt
	}
	return d + j.cfg.Visibility
}
