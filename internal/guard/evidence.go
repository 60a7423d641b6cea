package guard

import "time"

// streakGap is the silence that ends a streak of sick answers: a failure an hour
// is no outage.
const streakGap = 2 * time.Minute

// evidence weighs the answers that count for one kind of traffic: the sick answers
// of that kind and of the better ones, each recipient once, against the healthy
// answers of all kinds.
type evidence struct {
	share   float64       // of sick among the latest answers, about memory of them
	sick    int           // in a row, without a healthy one of any kind between them
	certain int           // of them: the request surely never got into FCM
	since   time.Duration // the row began
	last    time.Duration // of the row
}

// add records a sick answer.
func (e *evidence) add(now time.Duration, certain bool) {
	e.share += (1 - e.share) / memory
	if e.sick > 0 && now-e.last > streakGap {
		e.sick, e.certain = 0, 0
	}
	if e.sick == 0 {
		e.since = now
	}
	e.sick++
	if certain {
		e.certain++
	}
	e.last = now
}

// recordHealthy records a healthy answer.
func (e *evidence) recordHealthy() {
	e.sick, e.certain = 0, 0
	if e.share -= e.share / memory; e.share < faded {
		e.share = 0
	}
}

// clean reports whether there is nothing to book a healthy answer against.
func (e *evidence) clean() bool { return e.sick == 0 && e.share == 0 }

// total reports whether the provider is gone, after a silence of healthy answers:
// enough sick ones, or a few for long enough. Those that never got into FCM are no
// recipient's fault, and need less time.
func (e *evidence) total(t Trip, now, silence time.Duration) bool {
	lasted := now - e.since
	return e.sick >= t.Many && silence >= t.Silence ||
		e.sick >= t.Few && lasted >= t.Quiet ||
		e.certain >= t.Few && lasted >= t.Unreached
}
