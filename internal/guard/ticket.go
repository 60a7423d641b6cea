package guard

import (
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// Ticket is leave for one request. It is a small value, to be handed back by
// exactly one call of [Ticket.Done] or [Ticket.Abandon], from any goroutine:
// a half-open breaker waits for its probes. The zero Ticket belongs to no guard
// and may be handed back as often as one likes.
type Ticket struct {
	guard *Guard
	done  func(error)
	retry bool
}

// Done reports how the request ended: code as the answer was classified, before
// the delivery's own rules turn it into something else, and the Retry-After that
// came with it, else 0.
func (t Ticket) Done(code push.Code, retryAfter time.Duration) {
	g := t.guard
	if g == nil {
		return
	}
	g.inFlight.Add(-1)
	retryAfter = min(max(0, retryAfter), g.cfg.MaxRetryAfter)
	switch healthOf(code) {
	case healthy:
		g.pacer.answered()
		g.budget.earn(t.retry)
		t.done(nil)
	case sick:
		g.pacer.answered()
		t.done(&sickError{code: code, retryAfter: retryAfter})
		if retryAfter > 0 {
			g.breaker.extend(g.clock(), retryAfter)
		}
	case quota:
		t.done(errNeutral)
		if g.pacer.throttled(g.clock(), retryAfter) {
			// Only the first cut of a full pace is news; State and the metrics show the rest.
			g.log.Warn("pace cut", zap.Stringer("reason", code), zap.Duration("retry_after", retryAfter))
		}
	case neutral:
		g.pacer.answered()
		t.done(errNeutral)
	}
	g.feed.drain()
}

// Abandon reports that the request was not made after all: nothing is learnt
// from it, a probe's place is free again and a retry costs nothing. The time
// that the pace had set aside for it is lost.
func (t Ticket) Abandon() {
	g := t.guard
	if g == nil {
		return
	}
	g.inFlight.Add(-1)
	if t.retry {
		g.budget.refund()
	}
	t.done(errNeutral)
	g.feed.drain()
}
