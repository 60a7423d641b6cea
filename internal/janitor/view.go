package janitor

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// view is what the lines of one notification say.
type view struct {
	n    *push.Notification
	now  time.Time
	over bool // its deadline is past

	pages   map[int]*page
	planned int // pages
	lines   int
	open    int // recipients
	// waiting says that planned or parked lines wait for a step of a chain of releases.
	waiting bool
	last    time.Time // when one of the lines was last written
	moved   bool      // lines were closed since fanout was last asked
}

// page is what is wrong with one page.
type page struct {
	planned    bool // to its end
	chunks     []int
	epochs     []int64
	recipients int // of the chunks
}

// view reads a notification's lines.
func (r *round) view(ctx context.Context, n *push.Notification) (*view, error) {
	now := r.cfg.Now()
	v := &view{
		n: n, now: now, over: !now.Before(n.Deadline().Add(r.grace)) && n.Progress.State != push.StateCancelled,
		pages: map[int]*page{}, last: latest(n.AcceptedAt, n.Progress.StartedAt),
	}
	if n.Progress.State == push.StateCancelled {
		v.last = latest(v.last, n.Progress.CompletedAt)
	}
	for from := 0; ; {
		if err := r.limiter.Wait(ctx); err != nil {
			return nil, fmt.Errorf("wait for the pace: %w", err)
		}
		lines, err := r.cfg.Ledger.Lines(ctx, n.ID, from, read)
		if err != nil {
			return nil, err
		}
		for i := range lines {
			if err := r.add(ctx, v, &lines[i]); err != nil {
				return nil, err
			}
		}
		if len(lines) < read {
			return v, nil
		}
		from = lines[len(lines)-1].Ref.Seq + 1
		if err := r.renew(ctx); err != nil {
			return nil, err
		}
	}
}

func (r *round) add(ctx context.Context, v *view, l *ledger.Line) error {
	at := l.Ref.Page()
	p := v.pages[at]
	if p == nil {
		p = &page{}
		v.pages[at] = p
	}
	v.lines++
	v.last = latest(v.last, l.UpdatedAt)
	if l.Last {
		p.planned = true
		v.planned++
	}
	if l.State == ledger.StateClosed {
		v.moved = v.moved || l.UpdatedAt.After(v.n.Progress.ReconciledAt)
		return nil
	}
	open := l.OpenCount()
	v.open += open
	v.waiting = v.waiting || l.State == ledger.StatePlanned || l.State == ledger.StateParked && !v.n.Progress.Held.Any()
	take, err := r.stray(ctx, v, l)
	if err != nil || !take {
		return err
	}
	p.chunks = append(p.chunks, l.Ref.Seq%push.ChunksPerPage)
	p.epochs = append(p.epochs, l.Epoch)
	p.recipients += open
	return nil
}

// stray reports whether nothing will move an open line any more.
func (r *round) stray(ctx context.Context, v *view, l *ledger.Line) (bool, error) {
	quiet := quietFor(v.now, l.UpdatedAt)
	if l.State == ledger.StateWaiting && push.ID(l.Owner).Prefix() == push.PrefixReplay && v.n.Progress.State != push.StateCancelled {
		return false, nil // its message is the replay's: Replays sees to it
	}
	if v.over {
		return l.State != ledger.StateClaimed || quiet >= r.grace, nil
	}
	switch v.n.Progress.State {
	case push.StatePaused: // resume has it sent
		return false, nil
	case push.StateCancelled:
		return l.State != ledger.StateClaimed && quiet >= r.checked || quiet >= r.late(true), nil
	case push.StateUploading, push.StateAccepted, push.StateSending, push.StateHeld, push.StateCompleted, push.StateDeadLettered:
	}
	if l.State == ledger.StateParked && v.n.Progress.Held.Any() {
		return false, nil // what holds it lets it go
	}
	if v.n.PerSecond > 0 && (l.State == ledger.StatePlanned || l.State == ledger.StateParked) {
		return false, nil // a step of its chain sends it: decide looks at the whole
	}
	if l.UpdatedAt.Before(r.lost) {
		return true, nil
	}
	due := l.Due
	if end := v.n.Deadline(); due.After(end) {
		due = end
	}
	if due.After(v.now) {
		return false, nil
	}
	return r.lateBy(ctx, push.DeliveryQueue(v.n.Lane()), min(quiet, quietFor(v.now, due)))
}

// lateBy reports whether a message that was sent so long ago is lost.
func (r *round) lateBy(ctx context.Context, queue string, quiet time.Duration) (bool, error) {
	switch {
	case quiet < r.late(true):
		return false, nil
	case quiet >= r.late(false):
		return true, nil
	}
	d, err := r.depth(ctx, queue)
	return err == nil && !d.mayHold(quiet), err
}

// quietFor returns how long ago a write was. A time far ahead was written before the
// clock was set back, or by a wrong clock: it says nothing, and an unneeded request does
// no harm.
func quietFor(now, at time.Time) time.Duration {
	const skew = 5 * time.Minute
	const ages = 365 * 24 * time.Hour
	if d := now.Sub(at); d > -skew {
		return max(0, d)
	}
	return ages
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// depth is how full a queue is.
type depth struct {
	visible int64
	oldest  time.Duration // 0: the queue does not tell
}

// depth asks each queue once a round. A queue that the janitor does not know, as in a
// test, is empty.
func (r *round) depth(ctx context.Context, queue string) (depth, error) {
	if d, ok := r.depths[queue]; ok {
		return d, nil
	}
	var d depth
	if q := r.cfg.Queues[queue]; q != nil {
		found, err := q.Depth(ctx)
		if err != nil {
			return d, fmt.Errorf("depth of %s: %w", queue, err)
		}
		d = depth{found.Visible, found.OldestAge}
	}
	r.depths[queue] = d
	return d, nil
}

// mayHold reports whether a message that was sent so long ago may still wait on the
// queue. A message that is delayed or in hand appears again within Late.
func (d depth) mayHold(quiet time.Duration) bool {
	switch {
	case d.visible == 0:
		return false
	case d.oldest > 0:
		return d.oldest >= quiet-time.Minute
	default:
		return true
	}
}
