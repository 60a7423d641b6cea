package pace

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/belfry-push/belfry/internal/worker"
)

// A batch's throttle is kept in two places. fanout releases the batch's chunks at its
// pace, so that all dispatchers together keep it. deliver spreads the requests of the
// chunks that it has evenly, and bounds what one process and lane can send in a second,
// whatever it is handed: a batch that is resumed, or whose retries come back together,
// does not go out in a burst.
//
// Waiting for the pace uses up neither attempts nor requests under way: a row is
// handed out when its time has come.

// Patience is the longest wait for the next request. If a wait is longer, too many
// chunks share the pace, and the rest of this one goes back to the queue.
const Patience = 3 * time.Second

// burstShare is the part of a second's requests that may be caught up on at once,
// because timers fire late: within any second it is 1 % over the pace, at most.
const burstShare = 100

// NewLimiter returns the limiter for a throttle, nil for none.
func NewLimiter(perSecond int) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, perSecond/burstShare))
}

// steady returns a monotonic time in the form that limiters want. It is no date, so no
// step of the wall clock lets requests out or keeps them back.
func steady(elapsed time.Duration) time.Time { return time.Unix(0, 0).Add(elapsed) }

// Queueing returns how long a new caller would wait for the limiter's next
// permit.
func Queueing(l *rate.Limiter, now time.Duration) time.Duration {
	missing := 1 - l.TokensAt(steady(now))
	return time.Duration(max(0, missing) / float64(l.Limit()) * float64(time.Second))
}

// Permits lets the rows of one window through at their batch's pace. It holds
// at most one permit, for the next row. It belongs to one goroutine at a time.
type Permits struct {
	limiter *rate.Limiter // nil: no throttle
	now     func() time.Duration
	until   time.Duration     // the turn's end
	held    *rate.Reservation // for the next row, nil: none yet
	due     time.Duration     // of the permit
}

// NewPermits returns the permits of a window whose turn ends at until; l is nil without
// a throttle, and now is a monotonic clock.
func NewPermits(l *rate.Limiter, now func() time.Duration, until time.Duration) *Permits {
	return &Permits{limiter: l, now: now, until: until}
}

// Wait returns when the next row may go. If that is not in this turn, it returns at
// once, with false and the time before which the row cannot go. It returns false, too,
// if ctx ends.
func (p *Permits) Wait(ctx context.Context) (again time.Duration, ok bool) {
	if p.limiter == nil {
		return 0, true
	}
	now := p.now()
	if p.held == nil {
		if now > p.until {
			return now, false
		}
		r := p.limiter.ReserveN(steady(now), 1)
		due := now + r.DelayFrom(steady(now))
		if due-now > Patience || due > p.until {
			r.CancelAt(steady(now))
			return due, false
		}
		p.held, p.due = r, due
	}
	return 0, p.due <= now || worker.Wait(ctx, p.due-now)
}

// Used says that the row has gone.
func (p *Permits) Used() { p.held = nil }

// Close gives back a permit that was not used.
func (p *Permits) Close() {
	if p.held != nil {
		p.held.CancelAt(steady(p.now()))
	}
}
