// Package janitor heals the ledger: whatever a queue loses, it finds in the
// ledger and has it sent anew, or ended if its time is over.
//
// A queue loses messages when it is purged, made anew, restored from another
// moment, or its file is gone. What the ledger then shows is a notification that
// is not finished and of which nothing moves. The janitor lists what is not
// finished, never what is, reads the lines of it, and asks fanout by tasks:
//
//	chunks planned, waiting or claimed for too long   recall their pages
//	pages that are not planned                        plan them
//	a throttled batch that stands still               a new chain of releases
//	nothing open, but not completed                   check
//	something open past the deadline                  recall: it expires
//
// It writes no line itself. What it asks for is conditional on what it has seen,
// and harmless if it was wrong: a new message makes older copies stale. So any
// number of janitors may run, though one at a time does ([Janitor.Run]).
//
// "Too long" is longer than a queue can delay a message, or a worker that died can
// hide it; six times that while a queue is so full that the message may still be in
// it. A line whose retry is due later says so itself. An operator who knows that a
// queue was lost says so ([Suspect]), and nothing is waited for.
package janitor

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Ledger is the part of the notification ledger that the janitor reads.
type Ledger interface {
	ledger.Progresser
	// Unfinished lists the notifications of which something may be open and that
	// were accepted before the given time, oldest first.
	Unfinished(ctx context.Context, before time.Time, cursor string, limit int) ([]push.Notification, string, error)
	// Lines returns up to limit lines of a notification with sequence >= from, ascending.
	Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error)
}

// Replays sees to the letters that a replay sent again: their messages hold what
// only their letters know.
type Replays interface {
	// Reconcile sends anew what has had no sign of life since before, and what was
	// last written before lost; it returns how many chunks that were.
	Reconcile(ctx context.Context, before, lost time.Time) (int, error)
}

// Publisher takes events for whoever listens.
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

	// Late is after how long without a sign of life a message counts as lost, when
	// its queue can't hold it any more: at least a second, default 20 min, five more
	// than a queue can delay a message.
	Late time.Duration
	// Visibility is the queues' own: how long the message of a worker that died
	// stays invisible. It comes on top of Late.
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

	// doubt is what Late is multiplied with while the queue may hold the message.
	doubt = 6
	// These are never longer than Late.
	//
	// grace is how long after a deadline deliver and fanout have for themselves, and
	// how old a notification is that is looked at.
	grace = time.Minute
	// checked is how long nothing may be open without the notification being
	// completed: fanout looks every minute at the rarest.
	checked = 5 * time.Minute

	// listed is how many notifications are listed at once, and read how many lines.
	listed = 200
	read   = 256
	// seldom is what part of Late passes before more lines than one read brings are
	// read again: reading a batch of a million costs 450 units on DynamoDB.
	seldom = 4
	// pace bounds the reads of a second, so that a round over a million open
	// notifications takes half an hour and a twentieth of a core.
	pace = 500
)

// Janitor is the room. Several processes may each run one; of one Janitor, a round
// runs at a time.
type Janitor struct {
	Config

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
		Config: cfg, grace: min(grace, cfg.Late), checked: min(checked, cfg.Late), limiter: rate.NewLimiter(pace, pace),
		next:  map[push.ID]time.Time{},
		lease: lease{docs: cfg.Documents, owner: cfg.Owner, now: cfg.Now, patience: 3 * cfg.Every},
	}
}

// Run looks after the ledger until ctx ends, whenever no other process does: the
// janitor of a deployment shows every round that it lives, and is followed by
// another one after three rounds of silence.
func (j *Janitor) Run(ctx context.Context) {
	tick := time.NewTicker(j.Every)
	defer tick.Stop()
	defer func() {
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		j.lease.release(ctx)
	}()
	ailing := false
	for {
		err := j.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != ailing { // repeated failure is logged when it changes
			ailing = err != nil
			j.Log.Warn("looking for lost messages", zap.Bool("failing", ailing), zap.Error(err))
		}
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
	j.Metrics.leads(mine)
	if err != nil || !mine {
		return err
	}
	_, err = j.Round(ctx)
	return err
}

// Round goes once over everything that is not finished. It costs a read of each
// notification that is, and one of every 256 lines of those that do not move;
// nothing of what is finished.
func (j *Janitor) Round(ctx context.Context) (Found, error) {
	began := j.Now()
	s, err := j.suspicion(ctx)
	if err != nil {
		return Found{}, err
	}
	r := round{Janitor: j, lost: s.lost(began), depths: map[string]depth{}, renewed: began, next: map[push.ID]time.Time{}}
	if err = r.all(ctx); err == nil {
		j.next = r.next // forgets those that are finished
	}
	if err == nil && j.Replays != nil {
		r.found.Replayed, err = j.Replays.Reconcile(ctx, began.Add(-j.late(true)), r.lost)
	}
	if err == nil && !r.lost.IsZero() {
		err = j.healed(ctx, s)
	}
	j.Metrics.round(&r.found, j.Now(), err)
	if r.found.Any() {
		r.found.log(j.Log, r.lost)
	}
	return r.found, err
}

// late is after how long a message counts as lost, if it is sure that the queue
// does not hold it any more, and if not.
func (j *Janitor) late(sure bool) time.Duration {
	d := j.Late
	if !sure {
		d *= doubt
	}
	return d + j.Visibility
}
