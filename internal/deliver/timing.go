package deliver

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/deliver/lease"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/worker"
)

// timing is a lane's clocks and its source of chance. Safe for concurrent use.
type timing struct {
	now     func() time.Time     // the wall clock: deadlines, and what is stored
	elapsed func() time.Duration // a monotonic clock: everything that lasts

	waits guard.Backoff

	mu   sync.Mutex // of rand
	rand *rand.Rand
}

// moment returns the present, by both clocks.
func (t *timing) moment() clock.Moment { return clock.Moment{Wall: t.now(), Elapsed: t.elapsed()} }

// stamp returns the time of a write, as exactly as every store keeps it.
func (t *timing) stamp() time.Time { return t.now().UTC().Truncate(time.Microsecond) }

// in returns the time after a wait, by the monotonic clock.
func (t *timing) in(wait time.Duration) time.Duration { return t.elapsed() + max(wait, 1) }

// jitter returns a random time below a bound.
func (t *timing) jitter(below time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Duration(t.rand.Int64N(int64(below)))
}

// backoff returns the wait after a failed attempt.
func (t *timing) backoff(attempt int, r result) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waits.Next(attempt, r.code, r.retryAfter, t.rand)
}

// shortly returns a context for what ends a turn: it outlives ctx, by lease.Grace at
// most.
func shortly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), lease.Grace)
}

// sleep waits with the message in hand. A verdict means that there is no time for that.
func sleep(ctx context.Context, j *job, wait time.Duration) (*worker.Verdict, error) {
	if wait <= 0 {
		return nil, nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil, nil
	case <-ctx.Done():
		return done(worker.Leave())
	case <-j.draining:
		return done(worker.HandBack())
	}
}
