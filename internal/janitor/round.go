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

// round is one pass over what is not finished.
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
		before := r.Now()
		if r.lost.IsZero() {
			before = before.Add(-r.grace)
		}
		ns, next, err := r.Ledger.Unfinished(ctx, before, cursor, listed)
		if err != nil {
			return err
		}
		for i := range ns {
			r.found.Unfinished++
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

// renew keeps the lease in a round that takes long.
func (r *round) renew(ctx context.Context) error {
	if r.Now().Sub(r.renewed) < r.Every {
		return nil
	}
	mine, err := r.lease.hold(ctx)
	if err == nil && !mine {
		err = errReplaced
	}
	r.renewed = r.Now()
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
		r.next[n.ID] = v.now.Add(r.Late / seldom)
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

// resting tells whether a notification was asked for of late. Every time that
// brings nothing doubles the wait: a task that kills fanout must not come every
// few minutes.
func (r *round) resting(n *push.Notification) bool {
	at := n.Progress.ReconciledAt
	const most = 5
	wait := r.late(true) << min(max(n.Progress.Reconciled-1, 0), most)
	switch now, end := r.Now(), n.Deadline().Add(r.grace); {
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

// still tells whether nothing of a notification has moved for so long that the
// task which should move it on is lost.
func (r *round) still(ctx context.Context, v *view) (bool, error) {
	if v.last.Before(r.lost) {
		return true, nil
	}
	return r.lateBy(ctx, push.QueueNotifications, quietFor(v.now, v.last))
}

// large tells whether a notification of many lines was read a moment ago.
func (r *round) large(n *push.Notification) bool {
	at, ok := r.Janitor.next[n.ID]
	now, end := r.Now(), n.Deadline().Add(r.grace)
	if !ok || !r.lost.IsZero() || !now.Before(at) || !now.Before(end) && at.Add(-r.Late/seldom).Before(end) {
		return false
	}
	r.next[n.ID] = at
	return true
}

// finish takes a notification that could not be expanded off the list: all that
// was planned of it has its outcome, and nothing more can be sent.
func (r *round) finish(ctx context.Context, id push.ID) error {
	_, err := ledger.Advance(ctx, r.Ledger, id, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		p.Finished = p.State == push.StateDeadLettered
		return p, nil
	})
	return err
}
