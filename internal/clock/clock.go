// Package clock keeps the two kinds of time apart. It never waits and holds no
// global state.
//
// Wall time is what people, deadlines and stored records mean. It can be set to
// anything at any moment: by NTP, by an operator, by a machine that comes back
// from sleep. So it says when something is, and never for how long.
//
// Elapsed time is the monotonic clock: it measures durations within a process
// and knows nothing of the date. It stands still while the machine sleeps, and
// means nothing to another process.
//
// Who asks how old something is that it saw itself takes a [Moment] of it, which
// holds both: the answer is never too young.
package clock

import (
	"math"
	"time"
)

// Start returns a monotonic clock that counts from this call. No step of the
// wall clock changes it. Safe for concurrent use.
func Start() func() time.Duration {
	begun := time.Now()
	return func() time.Duration { return time.Since(begun) }
}

// Moment is a point in time by both clocks of a process.
type Moment struct {
	Wall    time.Time
	Elapsed time.Duration
}

// forever is the age of what can't be told to be young.
const forever = time.Duration(math.MaxInt64)

// stepLeast is the least difference between the clocks that counts as a step.
// NTP corrects smaller ones by letting the clock run faster or slower, which is
// no step, and stays below it between two looks.
const stepLeast = 500 * time.Millisecond

// Age returns how old m is now: the longer of what the two clocks say. If the
// wall clock was set back behind m, m is as old as can be: where the clocks do
// not agree, nothing counts as fresh.
func (m Moment) Age(now Moment) time.Duration {
	wall := now.Wall.Round(0).Sub(m.Wall.Round(0)) // without their monotonic readings
	if wall <= -stepLeast {
		return forever
	}
	return max(0, wall, now.Elapsed-m.Elapsed)
}

// Steps notices when the wall clock was set, or the machine slept. Look at least
// every minute. It belongs to one goroutine; the zero value is ready.
type Steps struct {
	last  Moment
	begun bool
}

// Look compares the clocks with those of the last look and returns by how much
// the wall clock was set forward since; back is negative, 0 is not at all. Each
// step is told once.
func (s *Steps) Look(now Moment) time.Duration {
	last, begun := s.last, s.begun
	s.last, s.begun = now, true
	if !begun {
		return 0
	}
	by := now.Wall.Round(0).Sub(last.Wall.Round(0)) - (now.Elapsed - last.Elapsed)
	if by.Abs() < stepLeast {
		return 0
	}
	return by
}
