package sendapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/fcmsim/oauth"
)

// Outage is a failure of the whole send endpoint, whatever the token. Token endpoint and admin side stay up.
type Outage struct {
	// Status is 503 (UNAVAILABLE), 500 (INTERNAL), 429 (QUOTA_EXCEEDED), 401 or 403 (the credential is refused) or 0: the
	// connection is closed without an answer.
	Status int
	// RetryAfter is the Retry-After header as sent: seconds or an HTTP date (RFC 9110 §10.2.3). Empty: no header.
	RetryAfter string
	// For is how long it lasts; 0 until it is switched off with share 0 or by Reset.
	For time.Duration
	// Share is the part of requests that are hit, above 0 to 1; 0 ends the outage.
	Share float64
}

func (o Outage) validate() error {
	var faults []error
	switch o.Status {
	case 0, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusServiceUnavailable:
	default:
		faults = append(faults, fmt.Errorf("status: must be 503, 500, 429, 401, 403 or 0 (got %d)", o.Status))
	}
	if o.RetryAfter != "" {
		_, notSeconds := strconv.ParseUint(o.RetryAfter, 10, 31)
		_, notDate := http.ParseTime(o.RetryAfter)
		if notSeconds != nil && notDate != nil {
			faults = append(faults, fmt.Errorf("retry_after: must be seconds or an HTTP date (got %q)", o.RetryAfter))
		}
	}
	if o.For < 0 {
		faults = append(faults, fmt.Errorf("seconds: must not be negative (got %v)", o.For.Seconds()))
	}
	if !(o.Share >= 0 && o.Share <= 1) { // also refuses NaN
		faults = append(faults, fmt.Errorf("share: must be 0 to 1 (got %v)", o.Share))
	}
	return errors.Join(faults...)
}

// outage decides which requests an Outage hits. It is safe for concurrent use.
type outage struct {
	random *randomSource
	now    atomic.Pointer[ongoingOutage] // nil: all is well
}

type ongoingOutage struct {
	verdict Verdict
	share   float64
	until   time.Time // zero: no end
}

// set replaces the current outage.
func (o *outage) set(what Outage, now time.Time) {
	if what.Share == 0 {
		o.now.Store(nil)
		return
	}
	on := &ongoingOutage{verdict: outageVerdict(what), share: what.Share}
	if what.For > 0 {
		on.until = now.Add(what.For)
	}
	o.now.Store(on)
}

// strikes tells what becomes of a request if the outage hits it.
func (o *outage) strikes(now time.Time) (Verdict, bool) {
	on := o.now.Load()
	if on == nil {
		return Verdict{}, false
	}
	if !on.until.IsZero() && !now.Before(on.until) {
		o.now.CompareAndSwap(on, nil)
		return Verdict{}, false
	}
	if on.share < 1 && o.random.share() >= on.share {
		return Verdict{}, false
	}
	return on.verdict, true
}

func outageVerdict(o Outage) Verdict {
	var a *Answer
	switch o.Status {
	case http.StatusUnauthorized:
		a = unauthenticated(oauth.ReasonUnknown)
	case http.StatusForbidden:
		a = permissionDenied("any")
	case http.StatusTooManyRequests:
		a = quotaExceeded()
	case http.StatusInternalServerError:
		a = internal()
	case http.StatusServiceUnavailable:
		a = unavailable()
	default:
		return Verdict{code: codeRefused, Fate: FateRefuse}
	}
	return answered(a.withRetryAfter(o.RetryAfter))
}
