package quota

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Ledger says what waits.
type Ledger interface {
	// Unfinished lists the notifications that may have open recipients and were accepted
	// before the given time, oldest first.
	Unfinished(ctx context.Context, before time.Time, cursor string, limit int) ([]push.Notification, string, error)
	// Counts sums all lines of a notification: O(lines).
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// How recipients that have their outcome leave the bucket of those that wait. Nobody counts them down: a process that
// died would leave some for ever. What is open is in the ledger; when the bucket is half empty, or has too little for
// somebody, it is summed there, and what was taken and is not open any more is put back. That errs to one side only:
// what was accepted while it was summed counts twice until the next time.
const (
	// recording is how long accepting takes from the count to the ledger's write, mostly less than a tenth of it. What
	// takes longer than that, while it is summed, is put back too early.
	recording = time.Second
	// summing bounds one look at the ledger.
	summing = 20 * time.Second
	// restFor times as long as it took, and looksEvery at least, is how long a bucket rests between two looks.
	restFor    = 5
	looksEvery = 500 * time.Millisecond
)

// watch looks after a bucket of what waits, beside the caller, when it gets empty or was too empty for the caller. Without
// the second, who needs more than half of it would wait for ever for what one look still saw open.
func (q *Quotas) watch(p *policy, taken bool) {
	if p.quota != push.QuotaQueued || q.cfg.Ledger == nil || taken && p.bucket.Standing().Remaining > p.limit/2 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.looking[p.name] {
		return
	}
	q.looking[p.name] = true
	q.beside.Go(func() {
		q.look(p)
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.looking, p.name)
	})
}

// look finds out what is open, and puts back what is not. Whoever asked does not wait for it, so that it has a context of
// its own.
func (q *Quotas) look(p *policy) {
	begun := q.cfg.Now()
	ctx, cancel := context.WithTimeout(q.life, summing)
	defer cancel()
	err := q.restore(ctx, p)
	if err != nil && !errors.Is(err, push.ErrConflict) && q.life.Err() == nil {
		q.cfg.Log.Warn("what waits of a tenant was not summed", zap.String("tenant", p.tenant), zap.String("of", p.of), zap.Error(err))
	}
	worker.Wait(q.life, max(looksEvery, restFor*(q.cfg.Now().Sub(begun)-recording)))
}

func (q *Quotas) restore(ctx context.Context, p *policy) error {
	m, err := p.bucket.Mark(ctx)
	if err != nil || m.Spent == 0 {
		return err
	}
	if !worker.Wait(ctx, recording) {
		return ctx.Err()
	}
	open, err := q.open(ctx, p, m.Spent)
	if err != nil || open >= m.Spent {
		return err
	}
	return p.bucket.Restore(ctx, m, m.Spent-open)
}

// few is up to how many recipients of a notification are taken for open as long as it is unfinished: reading the lines of
// thousands of small ones would take longer than they do.
const few = 100

// covers reports whether a notification counts against a quota of an app, or of its tenant.
func (p *policy) covers(n *push.Notification) bool {
	return n.Tenant == p.tenant && (p.app == "" || p.app == n.AppName())
}

// open sums what is open, up to a number. What is deferred counts from when it is planned.
func (q *Quotas) open(ctx context.Context, p *policy, most int64) (sum int64, err error) {
	const page = 1000
	for cursor := ""; sum < most; {
		heads, next, err := q.cfg.Ledger.Unfinished(ctx, q.cfg.Now().Add(time.Minute), cursor, page)
		if err != nil {
			return 0, err
		}
		for i := range heads {
			n := &heads[i]
			if !p.covers(n) {
				continue
			}
			some := n.Progress.Sources
			if n.Deferred || some > few {
				counts, err := q.cfg.Ledger.Counts(ctx, n.ID)
				if err != nil {
					return 0, err
				}
				some = counts.ByClass()[push.ClassOpen]
				if !n.Deferred {
					some += counts.Unplanned(n.Progress.Sources)
				}
			}
			sum += some
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return sum, nil
}
