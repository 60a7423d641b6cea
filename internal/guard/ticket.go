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
	guard    *Guard
	to       push.Address
	round    *round  // of the gate that it passed, if that was not closed
	traffic  Traffic // as which it passed
	budgeted bool    // it took a retry out of the budget
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
	now := g.clock()
	retryAfter = min(max(0, retryAfter), g.cfg.MaxRetryAfter)
	switch healthOf(code) {
	case healthy:
		g.meter.count(now)
		g.meter.healthy(now)
		g.pacer.answered()
		g.budget.earn(t.budgeted)
		if g.doubt.Load() || t.round != nil {
			g.recordHealthy(now, &t)
		}
	case sick:
		g.meter.count(now)
		g.pacer.answered()
		g.recordSick(now, &t, code, retryAfter)
	case quota:
		t.free(now)
		if g.pacer.throttled(t.traffic, now, retryAfter) {
			// Only the first cut of a full pace is news; State and the metrics show the rest.
			g.log.Warn("pace cut", zap.Stringer("reason", code), zap.Duration("retry_after", retryAfter))
		}
	case neutral:
		g.pacer.answered()
		t.free(now)
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
	if t.budgeted {
		g.budget.refund()
	}
	t.free(g.clock())
	g.feed.drain()
}

// free gives back the place in a round.
func (t *Ticket) free(now time.Duration) {
	if t.round != nil {
		t.guard.freed(now, t)
	}
}
