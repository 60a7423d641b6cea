package janitor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// errReplaced says that another process is the janitor now.
var errReplaced = errors.New("another process looks after the ledger now")

// round is one pass over the unfinished notifications.
type round struct {
	*Janitor

	lost    time.Time // what was written before is without a message; zero: unknown
	depths  map[string]depth
	renewed time.Time // the lease
	found   Found
	next    map[push.ID]time.Time // of those that are large
}

func (r *round) all(ctx context.Context) error {
	for cursor := ""; ; {
		before := r.cfg.Now()
		if r.lost.IsZero() {
			before = before.Add(-r.grace)
		}
		ns, next, err := r.cfg.Ledger.Unfinished(ctx, before, cursor, listed)
		if err != nil {
			return err
		}
		for i := range ns {
			r.found.Unfinished++
			if ns[i].Progress.Held.Any() {
				r.found.Held++
			}
			if err := r.one(ctx, &ns[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
		if err := r.renew(ctx); err != nil {
			return err
		}
	}
}

// replays looks after what replays sent again; whole reports whether it came to the end.
func (r *round) replays(ctx context.Context, began time.Time) (whole bool, err error) {
	before := began.Add(-r.late(true))
	if !r.lost.IsZero() {
		before = began
	}
	r.found.Replayed, whole, err = r.cfg.Replays.Reconcile(ctx, before, r.lost, r.gone)
	return whole, err
}

// gone reports whether the message of a waiting line is lost, by the times at which the
// line was written and is due.
func (r *round) gone(ctx context.Context, queue string, written, due time.Time) (bool, error) {
	if err := r.limiter.Wait(ctx); err != nil {
		return false, fmt.Errorf("wait for the pace: %w", err)
	}
	if err := r.renew(ctx); err != nil {
		return false, err
	}
	now := r.cfg.Now()
	switch {
	case written.Before(r.lost):
		return true, nil
	case due.After(now):
		return false, nil
	}
	quiet := quietFor(now, written)
	if !due.IsZero() {
		quiet = min(quiet, quietFor(now, due))
	}
	return r.lateBy(ctx, queue, quiet)
}

// renew keeps the lease during a long round.
func (r *round) renew(ctx context.Context) error {
	if r.cfg.Now().Sub(r.renewed) < r.cfg.Every {
		return nil
	}
	mine, err := r.lease.hold(ctx)
	if err == nil && !mine {
		err = errReplaced
	}
	r.renewed = r.cfg.Now()
	return err
}

// one looks after one notification.
func (r *round) one(ctx context.Context, n *push.Notification) error {
	if r.resting(n) || r.large(n) {
		return nil
	}
	v, err := r.view(ctx, n)
	if err != nil {
		return err
	}
	if v.lines > read {
		r.next[n.ID] = v.now.Add(r.cfg.Late / seldom)
	}
	still, err := r.still(ctx, v)
	if err != nil {
		return err
	}
	asks := r.decide(v, still)
	if asks.finished {
		return r.finish(ctx, n.ID)
	}
	if asks.none() {
		return nil
	}
	if err := r.ask(ctx, v, asks); err != nil {
		return fmt.Errorf("ask for %s: %w", n.ID, err)
	}
	return nil
}

// resting reports whether fanout was asked about the notification lately. Each request
// that changes nothing doubles the wait: a task that kills fanout must not come every few
// minutes.
func (r *round) resting(n *push.Notification) bool {
	at := n.Progress.ReconciledAt
	const most = 5
	wait := r.late(true) << min(max(n.Progress.Reconciled-1, 0), most)
	switch now, end := r.cfg.Now(), n.Deadline().Add(r.grace); {
	case at.IsZero(), at.After(now.Add(wait)): // or the clock was set back
		return false
	case at.Before(r.lost):
		return false
	case at.Before(end) && !now.Before(end):
		return false
	default:
		return now.Before(at.Add(wait))
	}
}

// still reports whether nothing of a notification has moved for so long that the task
// that should move it on is lost.
func (r *round) still(ctx context.Context, v *view) (bool, error) {
	if v.last.Before(r.lost) {
		return true, nil
	}
	quiet := quietFor(v.now, v.last)
	if v.n.Deferred && v.planned < v.n.Progress.Pages {
		const patient = 6
		quiet /= patient // it waits for a quota, and another message would wait beside the first
	}
	return r.lateBy(ctx, push.QueueNotifications, quiet)
}

// large reports whether a notification of many lines was read a moment ago.
func (r *round) large(n *push.Notification) bool {
	at, ok := r.Janitor.next[n.ID]
	now, end := r.cfg.Now(), n.Deadline().Add(r.grace)
	if !ok || !r.lost.IsZero() || !now.Before(at) || !now.Before(end) && at.Add(-r.cfg.Late/seldom).Before(end) {
		return false
	}
	r.next[n.ID] = at
	return true
}

// finish takes a notification that could not be expanded off the list: everything that
// was planned has its outcome, and nothing more can be sent.
func (r *round) finish(ctx context.Context, id push.ID) error {
	_, err := ledger.Advance(ctx, r.cfg.Ledger, id, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		p.Finished = p.State == push.StateDeadLettered
		return p, nil
	})
	return err
}
