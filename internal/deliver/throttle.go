package deliver

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// A batch's throttle is kept in two places. fanout releases its chunks at the
// batch's pace, so that all dispatchers together keep it. deliver spreads the
// requests of the chunks that it has evenly, and bounds what one process (and
// lane) can send in a second, whatever it is handed: a batch that is resumed, or
// whose retries come back together, does not go out in a burst.
//
// Waiting for the pace uses up neither attempts nor requests under way: a row is
// handed out when its time has come.
const (
	// permitPatience is the longest wait for the next request. With more, too many
	// chunks share the pace, and the rest of this one goes back to the queue.
	permitPatience = 3 * time.Second
	// throttledTurn is how long a throttled chunk may keep its place in the worker.
	// A full chunk takes longer below 34 a second; batches that slow, however
	// many, must not hold up the others of their lane.
	throttledTurn = 15 * time.Second
	// burstShare of a second's requests may be caught up on at once, because timers
	// fire late: within any second it is 1 % over the pace, at most.
	burstShare = 100
)

// newLimiter returns the limiter for a throttle, nil for none.
func newLimiter(perSecond int) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, perSecond/burstShare))
}

// steady is a monotonic time as limiters want it. It has nothing to do with the
// date, and no step of the wall clock lets requests out or keeps them back.
func steady(elapsed time.Duration) time.Time { return time.Unix(0, 0).Add(elapsed) }

// queueing returns how long a new caller would wait for the limiter's next
// permit.
func queueing(l *rate.Limiter, now time.Duration) time.Duration {
	missing := 1 - l.TokensAt(steady(now))
	return time.Duration(max(0, missing) / float64(l.Limit()) * float64(time.Second))
}

// permits lets the rows of one window through at their batch's pace. It holds
// at most one permit, for the next row. It belongs to whoever has the gate.
type permits struct {
	limiter *rate.Limiter // nil: no throttle
	now     func() time.Duration
	until   time.Duration     // the turn's end
	held    *rate.Reservation // for the next row, nil: none yet
	due     time.Duration     // of the permit
}

func newPermits(l *rate.Limiter, now func() time.Duration, until time.Duration) *permits {
	return &permits{limiter: l, now: now, until: until}
}

// wait returns when the next row may go. If that is not in this turn, it does so
// at once, with the time before which it can't be; nor if ctx ends.
func (p *permits) wait(ctx context.Context) (again time.Duration, ok bool) {
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
		if due-now > permitPatience || due > p.until {
			r.CancelAt(steady(now))
			return due, false
		}
		p.held, p.due = r, due
	}
	return 0, p.due <= now || wait(ctx, p.due-now)
}

// used says that the row has gone.
func (p *permits) used() { p.held = nil }

// close gives back a permit that was not used.
func (p *permits) close() {
	if p.held != nil {
		p.held.CancelAt(steady(p.now()))
	}
}

// crowded returns how long a chunk should stay on the queue because others of
// its batch use up the pace, 0 if it may start. The wait is spread over the time
// that a chunk like this takes, so that those which wait return one after the
// other.
func (d *Deliver) crowded(j *job) time.Duration {
	l := j.head.limiter
	if l == nil || d.stopReason(j) != stopNone {
		return 0
	}
	wait := queueing(l, d.Elapsed())
	if wait <= permitPatience {
		return 0
	}
	d.rand.Lock()
	defer d.rand.Unlock()
	took := float64(len(j.chunk.Index)) / float64(l.Limit()) * float64(time.Second)
	wait += time.Duration(d.Rand.Float64() * took)
	return max(0, min(wait, j.deadline().Sub(d.Now())))
}
