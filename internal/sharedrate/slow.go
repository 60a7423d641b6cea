package sharedrate

import "time"

// cut is what a process has to say against the rate.
type cut struct {
	to    float64 // of the present rate
	pause time.Duration
}

// slow is how much less than its limit a bucket gives; the zero value: nothing less.
type slow struct {
	To float64       // of the limit's rate, until At; 0: it is not slow
	At time.Duration // of the bucket; it recovers from then on
}

const (
	// cutLeast is the share of its rate below which no cut goes.
	cutLeast = 0.01
	// cutEvery is the least time between two cuts, long enough for the first to show.
	cutEvery = time.Second
)

// cut returns s after a cut, unless the last one has not shown yet.
func (s slow) cut(now time.Duration, c cut, recovery time.Duration) slow {
	at := now + c.pause
	switch {
	case s.To == 0 || now-s.At >= cutEvery:
	case c.pause > 0:
		return slow{s.To, max(s.At, at)}
	default:
		return s
	}
	return slow{max(cutLeast, s.factor(now, recovery)*c.to), at}
}

// factor returns the share of the limit's rate that is given at a time.
func (s slow) factor(at, recovery time.Duration) float64 {
	if s.To == 0 || recovery == 0 {
		return 1
	}
	return min(1, s.To+max(0, at-s.At).Seconds()/recovery.Seconds())
}

// worth returns how many seconds of the limit's rate a span of time is worth.
func (s slow) worth(from, to, recovery time.Duration) float64 {
	if s.To == 0 || recovery == 0 {
		return (to - from).Seconds()
	}
	sum, over := 0.0, s.At+time.Duration((1-s.To)*float64(recovery))
	for _, end := range []time.Duration{min(s.At, to), min(over, to), to} {
		if end > from { // the factor is linear in between
			sum += (end - from).Seconds() * (s.factor(from, recovery) + s.factor(end, recovery)) / 2
			from = end
		}
	}
	return sum
}
