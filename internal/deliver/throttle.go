package deliver

import (
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

// queueing returns how long a new caller would wait for the limiter's next
// permit.
func queueing(l *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - l.TokensAt(now)
	return time.Duration(max(0, missing) / float64(l.Limit()) * float64(time.Second))
}

// permits lets the rows of one window through at their batch's pace. It holds
// at most one permit, for the next row. It belongs to the window's goroutine.
type permits struct {
	limiter *rate.Limiter // nil: no throttle
	now     func() time.Time
	until   time.Time         // the turn's end
	held    *rate.Reservation // for the next row, nil: none yet
	due     time.Time         // of the permit
	timer   *time.Timer       // fires when it is
}

func newPermits(l *rate.Limiter, now func() time.Time, until time.Time) *permits {
	p := &permits{limiter: l, now: now, until: until}
	if l != nil {
		p.timer = time.NewTimer(throttledTurn)
	}
	return p
}

// ready tells whether the next row may go now. If not, it may when C fires; or,
// if again is set, not in this turn, and not before that time.
func (p *permits) ready() (ok bool, again time.Time) {
	if p.limiter == nil {
		return true, time.Time{}
	}
	now := p.now()
	if p.held == nil {
		if now.After(p.until) {
			return false, now
		}
		r := p.limiter.ReserveN(now, 1)
		due := now.Add(r.DelayFrom(now))
		if due.Sub(now) > permitPatience || due.After(p.until) {
			r.CancelAt(now)
			return false, due
		}
		p.held, p.due = r, due
		p.timer.Reset(due.Sub(now))
	}
	return !now.Before(p.due), time.Time{}
}

// C fires when the permit that ready waits for is due; nil without a throttle.
func (p *permits) C() <-chan time.Time {
	if p.limiter == nil {
		return nil
	}
	return p.timer.C
}

// used says that the row has gone.
func (p *permits) used() { p.held = nil }

// close gives back a permit that was not used.
func (p *permits) close() {
	if p.limiter == nil {
		return
	}
	p.timer.Stop()
	if p.held != nil {
		p.held.CancelAt(p.now())
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
	wait := queueing(l, d.Now())
	if wait <= permitPatience {
		return 0
	}
	d.rand.Lock()
	defer d.rand.Unlock()
	took := float64(len(j.chunk.Index)) / float64(l.Limit()) * float64(time.Second)
	wait += time.Duration(d.Rand.Float64() * took)
	return max(0, min(wait, j.deadline().Sub(d.Now())))
}
