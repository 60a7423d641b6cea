package deliver

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Pauses knows what an operator has paused. Safe for concurrent use; it is asked before every request.
type Pauses interface {
	// Paused reports whether sending what a notification has on a lane is paused, and whether the lane is, for all
	// tenants. The channel is closed when that may have changed.
	Paused(lane push.Lane, n *push.Notification) (paused, all bool, changed <-chan struct{})
}

const (
	// pausedSeats is how many chunks of a lane wait in their place for a pause of some of what the lane carries to end, so
	// that it ends at once. The others go back to the queue, because the places are for all. While all of the lane is
	// paused, any number may.
	pausedSeats = 4
	// seatFor is how long one does: then it shows itself to the queue, and takes a seat again.
	seatFor = 5 * time.Minute
	// pausedLeast and pausedSpread are the wait on the queue of the others.
	pausedLeast, pausedSpread = 5 * time.Second, 5 * time.Second
)

// pausing keeps a chunk unclaimed while a pause stops it. It is claimed all the same, without sending, if there is
// something to be settled, or to be seen by the janitor. No attempt is used up, and what expires meanwhile ends as expired.
type pausing struct {
	*timing

	heads  *heads
	lane   push.Lane // see Config
	pauses Pauses
	seats  atomic.Int64
}

// run implements stage.
func (p *pausing) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	for {
		paused, all, changed := p.pauses.Paused(p.lane, j.n)
		if !paused {
			return nil, nil
		}
		if !p.mayWait(j) {
			j.state = turnOver
			j.retry.postpone(p.in(pausedLeast + p.jitter(pausedSpread)))
			return nil, nil
		}
		if v, err := p.sit(ctx, j, changed, all); v != nil || err != nil {
			return v, err
		}
		if err := p.heads.refresh(ctx, j.head, j.n.ID); err != nil {
			return nil, err
		}
		j.n, j.begun = j.head.notification(), p.elapsed()
	}
}

// sit waits in the chunk's place, if there is a seat, until pauses change. Else the verdict says what becomes of it.
func (p *pausing) sit(ctx context.Context, j *job, changed <-chan struct{}, all bool) (*worker.Verdict, error) {
	patience, again := time.Duration(0), pausedLeast+p.jitter(pausedSpread)
	switch seat := p.seats.Add(1); {
	case seat <= pausedSeats:
		patience, again = seatFor, 0
	case all:
		patience = holdPatience // chunks that have expired want a place too
	}
	defer p.seats.Add(-1)
	t := time.NewTimer(max(0, min(patience, j.deadline().Sub(p.now()))))
	defer t.Stop()
	select {
	case <-changed:
		return nil, nil
	case <-t.C:
		return done(worker.RetryAfter(max(0, min(again, j.deadline().Sub(p.now()))), nil))
	case <-ctx.Done():
		return done(worker.Leave())
	case <-j.draining:
		return done(worker.HandBack())
	}
}

// paused reports whether the chunk must not be sent further because of a pause, and if so, notes when it may be looked at
// again.
func (q *requests) paused(j *job) bool {
	paused, _, _ := q.pauses.Paused(q.lane, j.n)
	if paused {
		j.retry.postpone(q.in(pausedLeast + q.jitter(pausedSpread)))
	}
	return paused
}

// unpaused is for a room that is built without pauses.
type unpaused struct{}

// Paused implements [Pauses].
func (unpaused) Paused(push.Lane, *push.Notification) (paused, all bool, changed <-chan struct{}) {
	return false, false, nil
}
