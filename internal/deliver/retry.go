package deliver

import (
	"maps"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// retry collects what goes back to the queue: the rows whose try failed, the number of
// their next attempt, and the time at which all of them may be tried again.
type retry struct {
	rows map[int]int
	code push.Code     // the last failure
	at   time.Duration // the latest of all waits, by the monotonic clock; 0: none
	// postponed is set if breaker, pace or budget kept rows from being tried, or if a try
	// did not get as far as FCM.
	postponed bool
}

// again notes a failed try, the number of the next attempt, and when it may be made.
func (r *retry) again(row, attempt int, code push.Code, at time.Duration) {
	if r.rows == nil {
		r.rows = make(map[int]int)
	}
	r.rows[row] = attempt
	r.code = code
	r.later(at)
}

// postpone notes that a row was not tried, and when it may be tried.
func (r *retry) postpone(at time.Duration) {
	if at > 0 {
		r.postponed = true
		r.later(at)
	}
}

// unreached notes a try that did not get as far as FCM, and when the next may be made.
// Such a try is no attempt.
func (r *retry) unreached(code push.Code, at time.Duration) {
	r.code = code
	r.postpone(at)
}

// later notes that nothing may be sent before at.
func (r *retry) later(at time.Duration) { r.at = max(r.at, at) }

// clone returns a copy that shares no rows with r.
func (r *retry) clone() retry {
	c := *r
	c.rows = maps.Clone(r.rows)
	return c
}

// attempt returns the number of the row's next attempt. now is its number in this turn:
// deferring uses up no attempt.
func (r *retry) attempt(row, now int) int {
	if next, ok := r.rows[row]; ok {
		return next
	}
	return now
}
