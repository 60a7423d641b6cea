package ledger

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Attempt is the evidence of one send: what FCM answered, when and how fast.
// A chunk's attempts are kept beside its line, appended in the order of their
// checkpoints, and explain single deliveries.
type Attempt struct {
	Cell    int           // the recipient's cell in the line
	Attempt int           // from 1; 0 if FCM was not asked: an outcome that Belfry decided, or CodeOpen for a replay's mark
	Code    push.Code     // CodeSent, or why it failed
	At      time.Time     // when the answer arrived; millisecond precision
	Latency time.Duration // from admission to the answer; millisecond precision
	Detail  string        // FCM's message name or words, or why Belfry decided; at most 300 bytes, no token
}

// Decided reports whether this is no attempt but the reason of an outcome that
// was decided without asking FCM.
func (a *Attempt) Decided() bool { return a.Attempt == 0 && a.Code != push.CodeOpen }
