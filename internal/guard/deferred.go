package guard

import (
	"fmt"
	"time"
)

// Why names the mechanism that refused a request. The set is closed; switches
// over it are exhaustive.
type Why uint8

// The reasons for a deferral.
const (
	WhyBreakerOpen Why = iota + 1 // the breaker is open, or half-open with all its probes out
	WhyPace                       // the pace has no room soon enough, or is paused by a Retry-After
	WhyRetryBudget                // the request is a retry or a replay and the retry budget is empty
	WhyThrottle                   // more than half of the answers are sick, and the rate follows those that are not
)

// Whys lists every reason, in the order in which tables show them.
func Whys() []Why { return []Why{WhyBreakerOpen, WhyPace, WhyRetryBudget, WhyThrottle} }

// String returns the reason as it appears in metric labels.
func (w Why) String() string {
	switch w {
	case WhyBreakerOpen:
		return "breaker_open"
	case WhyPace:
		return "pace"
	case WhyRetryBudget:
		return "retry_budget"
	case WhyThrottle:
		return "throttle"
	default:
		return fmt.Sprintf("Why(%d)", uint8(w))
	}
}

// Deferred is the error of a request that may not be made now. Nothing was
// sent, so it must not count as an attempt of the delivery.
type Deferred struct { //nolint:errname // not a failure: the word that the dispatcher uses for it
	Until time.Time // when to ask again; already spread by jitter, so that the deferred do not return as one
	Why   Why
}

var _ error = (*Deferred)(nil)

// Error implements error.
func (d *Deferred) Error() string {
	return "deferred until " + d.Until.UTC().Format(time.RFC3339Nano) + ": " + d.Why.String()
}
