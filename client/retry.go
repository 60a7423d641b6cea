package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Retry says how often a call that may be repeated is repeated, and how long
// it waits in between: a random share of Base, doubled each time, up to Max
// (full jitter). A Retry-After in the answer (RFC 9110 §10.2.3) wins; one
// longer than Max ends the call with the answer that carried it.
//
// A quota that never has as much as is asked for has no Retry-After, and ends the call too.
//
// Repeated are broken connections, attempts that time out, the answers 429, 502,
// 503 and 504, and the server's word that the request did not arrive whole or
// that an earlier attempt is still being served. Nobody below the client repeats as well, but for the HTTP
// transport's one silent try on a connection that the server had closed.
type Retry struct {
	Attempts int           // in all; 1 or less: no repeats
	Base     time.Duration // bound of the first wait
	Max      time.Duration // bound of any wait
}

// DefaultRetry is what [New] uses: 4 attempts, waits of up to 0.25, 0.5 and 1 s
// where the server does not ask for another, and no wait beyond a minute.
func DefaultRetry() Retry {
	return Retry{Attempts: 4, Base: 250 * time.Millisecond, Max: time.Minute}
}

// wait returns the pause after a failed attempt, the first being 1. With no
// answer to go by, after is negative. It reports false when the call should
// end instead.
func (r Retry) wait(attempt int, after time.Duration, chance float64) (time.Duration, bool) {
	if attempt >= r.Attempts {
		return 0, false
	}
	bound := r.Base
	for range attempt - 1 {
		if bound >= r.Max {
			break
		}
		bound *= 2
	}
	jitter := time.Duration(chance * float64(min(bound, r.Max)))
	if after < 0 {
		return jitter, true
	}
	if after > r.Max {
		return 0, false
	}
	// A crowd that was told the same second should not come back in step.
	return after + time.Duration(chance*float64(r.Base)), true
}

// transportError says that the server's answer did not arrive whole.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// transient reports whether the same call may succeed a little later.
func transient(err error) bool {
	if p, ok := errors.AsType[*Problem](err); ok {
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return p.Code == "body_incomplete" || p.Code == "body_timeout" || p.Code == "idempotency_in_progress"
	}
	_, ok := errors.AsType[*transportError](err)
	return ok
}

// retryAfter reads the header's two forms, seconds and a date; -1 is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return -1
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
