package guard

import (
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// BreakerState is where a breaker stands. The set is closed; switches over it
// are exhaustive.
type BreakerState uint8

// The states of a breaker.
const (
	BreakerClosed   BreakerState = iota // requests pass
	BreakerHalfOpen                     // a few probes pass, to see whether the provider is back
	BreakerOpen                         // none passes
)

// BreakerStates lists every state, in the order in which tables show them.
func BreakerStates() []BreakerState {
	return []BreakerState{BreakerClosed, BreakerHalfOpen, BreakerOpen}
}

// String returns the state as it appears in events and metric labels.
func (s BreakerState) String() string {
	switch s {
	case BreakerClosed:
		return "closed"
	case BreakerHalfOpen:
		return "half_open"
	case BreakerOpen:
		return "open"
	default:
		return fmt.Sprintf("BreakerState(%d)", uint8(s))
	}
}

// Change is one transition of a credential's breaker.
//
// Each kind of traffic has a breaker of its own; the credential's is that of
// TrafficLive. It is open whenever first attempts are held, and whatever holds
// TrafficHigh holds TrafficLive too.
type Change struct {
	Credential string
	From, To   BreakerState
	At         time.Time
	Until      time.Time // before it nothing probes; zero unless To is BreakerOpen. Of an [Override], its end; zero: it has none
	Cause      push.Code // of the answer that opened it; push.CodeOpen unless To is BreakerOpen, and for an operator's

	By     string // the operator who changed it; "": it changed by itself
	Reason string // the operator's
}

// State is a snapshot of a guard, for metrics, health and the operator.
type State struct {
	Credential string

	Breaker BreakerState // as of TrafficLive
	Since   time.Time    // of the last transition, or when the guard was made
	Until   time.Time    // before it nothing probes; zero unless Breaker is BreakerOpen, and for an override without an end
	Cause   push.Code    // of the answer that opened the breaker last; push.CodeOpen if it never was
	Sick    float64      // share of sick answers among the latest of first attempts, each recipient once

	Override Override // an operator's that stands; zero: none

	Traffic [kinds]TrafficState // by Traffic

	InFlight    int       // admitted, neither done nor abandoned
	Pace        float64   // requests per second now
	Share       float64   // of the project's quota that this process may use, requests per second; all if nobody shares it
	ShareStale  bool      // the others cannot be asked: Share is what was known last
	PausedUntil time.Time // by a 429's Retry-After; zero unless that is in the future
	Budget      float64   // retries that may be made at once
}

// TrafficState is how one kind of traffic stands.
type TrafficState struct {
	Breaker   BreakerState
	Throttled bool    // the throttle holds
	Throttle  float64 // requests per second that the throttle lets through; the full pace if it does not hold
}
