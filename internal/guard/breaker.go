package guard

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/belfry-push/belfry/internal/push"
)

// windowBuckets is in how many steps the breaker's window slides.
const windowBuckets = 10

// errNeutral reports a request that says nothing about the provider's health.
var errNeutral = errors.New("neutral")

// sickError reports an answer that counts against the provider.
type sickError struct {
	code       push.Code
	retryAfter time.Duration
}

func (e *sickError) Error() string { return e.code.String() }

// breaker is gobreaker's window and half-open count with an open time of our
// own, because the library's is fixed: ours doubles while probes fail and
// respects a Retry-After.
//
// until is the gate: while it is ahead, the library is not asked. The library's
// own timeout is half of the shortest open time, so that it has always run out
// when the gate lifts, and still refuses a request that slipped through the
// gate in the instant in which the breaker opened.
//
// The library calls IsSuccessful and then, if that made the state change,
// OnStateChange, both under its lock: cause is handed from one to the other
// and needs no lock of its own.
type breaker struct {
	cb       *gobreaker.TwoStepCircuitBreaker[struct{}]
	now      func() time.Duration // since the guard's epoch
	openFor  time.Duration
	maxOpen  time.Duration
	onChange func(t transition) // called under the library's lock

	cause *sickError // guarded by the library's lock

	until atomic.Int64 // a time.Duration since the epoch; written under mu

	mu    sync.Mutex // taken within the library's lock, never around it
	state BreakerState
	since time.Duration
	again int       // openings in a row without a close between them, less one
	code  push.Code // of the answer that opened it last
}

// transition is a Change in the guard's own time.
type transition struct {
	from, to  BreakerState
	at, until time.Duration
	cause     push.Code
}

func newBreaker(cfg Config, now func() time.Duration, onChange func(transition)) *breaker {
	b := &breaker{now: now, openFor: cfg.OpenFor, maxOpen: cfg.MaxOpen, onChange: onChange}
	trip := cfg.OpenAfter
	b.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         cfg.Credential,
		MaxRequests:  cfg.Probes,
		Interval:     trip.Window,
		BucketPeriod: trip.Window / windowBuckets,
		Timeout:      cfg.OpenFor / 2,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			answers := c.TotalSuccesses + c.TotalFailures
			return c.ConsecutiveFailures >= trip.InARow || answers >= trip.Requests && float64(c.TotalFailures) >= trip.Ratio*float64(answers)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNeutral) },
		IsSuccessful: func(err error) bool {
			return !errors.As(err, &b.cause)
		},
		OnStateChange: func(_ string, from, to gobreaker.State) { b.moved(stateOf(from), stateOf(to)) },
	})
	return b
}

// blocked tells whether the breaker is open at now, and until when.
func (b *breaker) blocked(now time.Duration) (until time.Duration, open bool) {
	until = time.Duration(b.until.Load())
	return until, until > now
}

// allow asks for one request. Without leave, at is when to ask again.
func (b *breaker) allow(now time.Duration) (done func(error), at time.Duration, ok bool) {
	if until, open := b.blocked(now); open {
		return nil, until, false
	}
	done, err := b.cb.Allow()
	if err != nil {
		// Half-open with all probes out, or opened this instant: a probe's answer
		// takes a while, so come back after a part of the open time.
		until, _ := b.blocked(now)
		return nil, max(until, now+b.openFor/4), false
	}
	return done, 0, true
}

// moved is the library's callback for a change of state.
func (b *breaker) moved(from, to BreakerState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := transition{from: from, to: to, at: b.now()}
	switch to {
	case BreakerOpen:
		if from == BreakerClosed {
			b.again = 0
		} else {
			b.again++
		}
		t.until = t.at + max(b.openTime(), b.cause.retryAfter)
		t.cause = b.cause.code
		b.code = t.cause
	case BreakerHalfOpen, BreakerClosed:
	}
	b.until.Store(int64(t.until))
	b.state, b.since = to, t.at
	b.onChange(t)
}

// openTime doubles with every opening in a row.
func (b *breaker) openTime() time.Duration {
	d := b.openFor
	for n := 0; n < b.again && d < b.maxOpen; n++ {
		d *= 2
	}
	return min(d, b.maxOpen)
}

// extend keeps an open breaker open for at least retryAfter from now: of the
// requests that were in flight when it opened, one may say so later.
func (b *breaker) extend(now, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == BreakerOpen {
		b.until.Store(max(b.until.Load(), int64(now+retryAfter)))
	}
}

// look returns the state without changing it. An open breaker whose time is up
// is shown as half-open: that is what the next request finds.
func (b *breaker) look(now time.Duration) (state BreakerState, since, until time.Duration, cause push.Code) {
	b.mu.Lock()
	defer b.mu.Unlock()
	state, since, until, cause = b.state, b.since, time.Duration(b.until.Load()), b.code
	if state == BreakerOpen && until <= now {
		return BreakerHalfOpen, until, until, cause
	}
	return state, since, until, cause
}

// counts returns what the window holds now.
func (b *breaker) counts() Counts {
	if b.settled() {
		b.cb.State() // slides the window
	}
	c := b.cb.Counts()
	return Counts{Requests: c.Requests, Healthy: c.TotalSuccesses, Sick: c.TotalFailures, Neutral: c.TotalExclusions}
}

// settled tells whether asking the library for its state can not change it.
func (b *breaker) settled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state != BreakerOpen
}

func stateOf(s gobreaker.State) BreakerState {
	switch s {
	case gobreaker.StateClosed:
		return BreakerClosed
	case gobreaker.StateHalfOpen:
		return BreakerHalfOpen
	case gobreaker.StateOpen:
		return BreakerOpen
	}
	return BreakerOpen // the library has no fourth
}
