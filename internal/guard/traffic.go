package guard

import (
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Traffic ranks requests by what waiting costs whoever asked for them; the better
// kind has the lower number. What a kind does is never held against a better one.
// The set is closed; switches over it are exhaustive.
type Traffic uint8

// The kinds of traffic, best first.
const (
	TrafficHigh   Traffic = iota // a first attempt of the high lane, straight from the queue
	TrafficLive                  // any other first attempt, also one of the high lane that was put off before
	TrafficRetry                 // a later attempt
	TrafficReplay                // a dead letter that is sent again
)

// kinds is how many kinds of traffic there are.
const kinds = int(TrafficReplay) + 1

// Traffics lists every kind, best first.
func Traffics() []Traffic {
	return []Traffic{TrafficHigh, TrafficLive, TrafficRetry, TrafficReplay}
}

// String returns the kind as it appears in metric labels and logs.
func (t Traffic) String() string {
	switch t {
	case TrafficHigh:
		return "high"
	case TrafficLive:
		return "live"
	case TrafficRetry:
		return "retry"
	case TrafficReplay:
		return "replay"
	default:
		return fmt.Sprintf("Traffic(%d)", uint8(t))
	}
}

// again reports whether the kind draws on the retry budget.
func (t Traffic) again() bool { return t >= TrafficRetry }

// Ask is a request for leave to make one request to FCM.
type Ask struct {
	Traffic Traffic
	// Tenant is whose request it is, as the credential's quota is shared out; "" is one like
	// any other.
	Tenant string
	// To is whom it goes to. Of one that failed, the guard keeps a hash.
	To push.Address
	// Patience is how long Admit may block, whatever the reason; 0 is not at all.
	// Who has it takes the place that comes free in this very moment; who has none
	// comes back some seconds later.
	Patience time.Duration
	// Stop ends the wait when it is closed; nil never is.
	Stop <-chan struct{}
}
