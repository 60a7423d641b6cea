package guard

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// An open breaker defers requests for a tenth of the outage so far, within these
// bounds: waiting then costs little, and requests return soon after the provider.
const (
	deferShare = 10
	deferLeast = time.Second
	deferMost  = 10 * time.Second
	// breakerDefer is how long an open breaker defers a request at most.
	breakerDefer = time.Minute
	// throttleDefer is how long a throttle defers a request.
	throttleDefer = 2 * time.Second
	// throttlePoll is the longest time between two checks of a throttled request.
	throttlePoll = 100 * time.Millisecond
	// maxHighWaiters is how many requests of TrafficHigh may wait at a time. More
	// would occupy the lane's workers while later requests could be sent at once.
	maxHighWaiters = 50
)

// refusal says why a request may not be made now.
type refusal struct {
	why   Why
	at    time.Duration // when to ask again, with patience
	later time.Duration // when to ask again, without
}

// Admit asks for leave to make one FCM request. It blocks for at most the ask's
// patience, or for Config.MaxPaceWait if that is longer and it waits for its turn alone.
// Of those that wait for their turn, tenants get their shares ([Weights]). The error
// is a [*Deferred], [ErrStopped] or that of ctx. Each ticket must be handed back, by
// exactly one call of Done or Abandon.
func (g *Guard) Admit(ctx context.Context, ask Ask) (Ticket, error) {
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	now := g.clock()
	end := now + ask.Patience
	for {
		ring := g.bell.listen()
		ticket, no, err := g.admit(ctx, now, end, &ask)
		g.feed.drain()
		if err != nil || no == nil {
			return ticket, err
		}
		if now, err = g.wait(ctx, &ask, ring, now, end, no); err != nil {
			return Ticket{}, err
		}
	}
}

// Await blocks until breaker, throttle and budget would admit the request, but no
// longer than its patience. It takes no place: a caller whose preparation is
// expensive calls it first. While the breaker is open, Await returns to one caller
// at a time. Its errors are those of Admit.
func (g *Guard) Await(ctx context.Context, ask Ask) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := g.clock()
	end := now + ask.Patience
	for {
		ring := g.bell.listen()
		_, no := g.pass(now, &ask, claim)
		g.feed.drain()
		if no == nil && ask.Traffic.again() && !g.budget.has(ask.Traffic, now) {
			no = &refusal{WhyRetryBudget, now + budgetPoll, now + budgetWait}
		}
		if no == nil {
			return nil
		}
		var err error
		if now, err = g.wait(ctx, &ask, ring, now, end, no); err != nil {
			return err
		}
	}
}

// wait waits until the request may ask again. If its patience ends before that, it
// is deferred at once.
func (g *Guard) wait(ctx context.Context, ask *Ask, ring <-chan struct{}, now, end time.Duration, no *refusal) (time.Duration, error) {
	waiting := &g.waiting[ask.Traffic]
	if now >= end || ask.Traffic == TrafficHigh && waiting.Load() >= maxHighWaiters {
		return now, g.deferred(no, now)
	}
	waiting.Add(1)
	defer waiting.Add(-1)
	t := time.NewTimer(min(max(no.at, now), end) - now)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ring:
	case <-ask.Stop:
		return now, ErrStopped
	case <-ctx.Done():
		return now, ctx.Err()
	}
	return g.clock(), nil
}

// admit asks every mechanism once. The place in a gate's round is taken last,
// because only a request that is made may use it; the budget can be refunded.
func (g *Guard) admit(ctx context.Context, now, end time.Duration, ask *Ask) (Ticket, *refusal, error) {
	if _, no := g.pass(now, ask, look); no != nil {
		return Ticket{}, no, nil
	}
	again := ask.Traffic.again()
	if again && !g.budget.take(ask.Traffic, now) {
		return Ticket{}, &refusal{WhyRetryBudget, now + budgetPoll, now + budgetWait}, nil
	}
	ticket, no, err := g.paced(ctx, now, end, ask)
	if again && (err != nil || no != nil) {
		g.budget.refund()
	}
	return ticket, no, err
}

// paced waits for the request's turn.
func (g *Guard) paced(ctx context.Context, now, end time.Duration, ask *Ask) (Ticket, *refusal, error) {
	got, _, ok := g.pacer.take(ask.Traffic, now)
	if !ok {
		var no *refusal
		var err error
		if got, no, err = g.lineUp(ctx, now, end, ask); no != nil || err != nil {
			return Ticket{}, no, err
		}
		now = g.clock()
	}
	ticket, no := g.pass(now, ask, take)
	if no != nil {
		g.pacer.giveBack(now, got)
		return Ticket{}, no, nil
	}
	ticket.guard = g
	g.inFlight.Add(1)
	return ticket, nil, nil
}

// lineUp waits in the pacer's line, until the ask's patience ends, or for as long as the
// pace is given away ahead.
func (g *Guard) lineUp(ctx context.Context, now, end time.Duration, ask *Ask) (turn, *refusal, error) {
	ahead := g.cfg.MaxPaceWait
	if ask.Traffic != TrafficHigh {
		ahead /= 2
	}
	patience := max(ahead, end-now)
	place, at, paused := g.pacer.join(ask.Traffic, ask.Tenant, g.weight(ask.Tenant), now, patience)
	spread := g.jitter(max(ahead, time.Millisecond)) // of those who wait for the same moment
	switch {
	case paused:
		return turn{}, &refusal{WhyPace, at + spread, at}, nil
	case place == nil:
		return turn{}, &refusal{WhyPace, at - ahead + spread, at}, nil
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	var err error
	select {
	case answer := <-place.told:
		if answer.ok {
			return answer.turn, nil, nil
		}
		until, _ := g.pacer.pausedUntil(ask.Traffic, now)
		return turn{}, &refusal{WhyPace, until + spread, until}, nil
	case <-t.C:
	case <-ask.Stop:
		err = ErrStopped
	case <-ctx.Done():
		err = ctx.Err()
	}
	now = g.clock()
	g.pacer.leave(place, now)
	if err != nil {
		return turn{}, nil, err
	}
	return turn{}, &refusal{WhyPace, now, now + ahead}, nil
}

// weight returns a tenant's weight.
func (g *Guard) weight(tenant string) int {
	if g.cfg.Weights == nil {
		return 1
	}
	return min(max(1, g.cfg.Weights.Weight(tenant)), mostWeight)
}

// pass asks the gate and the throttle of the request's kind of traffic.
func (g *Guard) pass(now time.Duration, ask *Ask, how mode) (Ticket, *refusal) {
	t := Ticket{traffic: ask.Traffic, budgeted: ask.Traffic.again(), to: ask.To}
	if !g.alert.Load() {
		return t, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.traffic < TrafficRetry && g.suspects.has(ask.To, now) {
		t.traffic = TrafficRetry // it failed before, so it is no good probe
	}
	g.overdue(now)
	gt := g.gates[t.traffic]
	var better time.Duration
	for _, b := range g.gates[:t.traffic] {
		if b.state != BreakerClosed {
			better = max(better, b.asked+betterFirst)
		}
	}
	r, at, ok := gt.enter(now, better, how)
	if gt.mayPass { // its time had come
		g.settle(now)
	}
	if !ok {
		away := min(max((now-gt.openAt)/deferShare, deferLeast), deferMost)
		// Whoever is put off for longer would not notice that an operator closes it.
		return t, &refusal{WhyBreakerOpen, at, min(max(at, now+away), now+breakerDefer)}
	}
	t.round = r
	if gt.state != BreakerClosed {
		return t, nil
	}
	if how == take {
		at, ok = gt.throttle.take(now)
	} else {
		at, ok = gt.throttle.ready(now)
	}
	if !ok {
		// Those who wait share what there is: each looks away for about as long as it
		// takes until it is its turn.
		turn := time.Duration(g.waiting[t.traffic].Load()) * gt.throttle.interval(now)
		look := g.jitter(min(max(turn, time.Millisecond), throttlePoll))
		return t, &refusal{WhyThrottle, at + look, max(at, now+throttleDefer)}
	}
	return t, nil
}

// deferred counts a refusal. Its time is not before later, plus jitter.
func (g *Guard) deferred(no *refusal, now time.Duration) *Deferred {
	g.deferrals[no.why].Inc()
	spread := max(leastSpread, (no.later-now)/4)
	return &Deferred{Why: no.why, Until: g.epoch.Add(no.later + g.jitter(spread))}
}

// settle runs under the lock, after whatever may have changed a gate or a throttle:
// it tells the hot path whether to take the lock, and wakes whoever waits.
func (g *Guard) settle(now time.Duration) {
	alert, doubt, mayPass := false, false, false
	for _, gt := range g.gates {
		gt.throttle.rate(now) // may end it
		mayPass, gt.mayPass = mayPass || gt.mayPass, false
		alert = alert || gt.state != BreakerClosed || gt.throttle.active
		doubt = doubt || !gt.evidence.clean()
	}
	g.alert.Store(alert)
	g.doubt.Store(doubt || alert)
	if mayPass {
		g.bell.ring()
	}
}

// recordHealthy records a healthy answer where that changes something.
func (g *Guard) recordHealthy(now time.Duration, t *Ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, gt := range g.gates {
		switch {
		case t.round != nil && k == int(t.traffic):
			gt.answered(now, t.round, nil)
		case gt.state == BreakerClosed:
			gt.closedWell(now)
			gt.throttle.answered(now, true)
		default:
			gt.credit(now)
		}
	}
	if t.traffic.again() {
		g.suspects.clear(t.to)
	}
	g.settle(now)
}

// recordSick records a sick answer. It speaks against its own kind of traffic and against
// those that are worse; one that surely never got into FCM is nobody's own fault,
// and speaks against all. The others look only whether what they have heard has
// lasted long enough.
func (g *Guard) recordSick(now time.Duration, t *Ticket, code push.Code, retryAfter time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from, certain := t.traffic, code.Unreached()
	counts := certain || g.suspects.add(t.to, now)
	if certain {
		from = TrafficHigh
	}
	why := sickError{code: code, retryAfter: retryAfter}
	quiet, rate := g.meter.silent(now), g.meter.perSecond(now)
	for k, gt := range g.gates {
		concerned := k >= int(from)
		if t.round != nil && k == int(t.traffic) {
			gt.answered(now, t.round, &why)
			continue
		}
		if gt.state == BreakerClosed {
			if concerned && (counts || t.traffic.again()) {
				gt.throttle.answered(now, false) // among retries most have failed before
			}
			if concerned && counts {
				gt.evidence.add(now, certain)
				gt.throttle.reduce(now, gt.evidence.share, rate)
			}
			if gt.evidence.sick > 0 {
				gt.closedSick(now, quiet, &why)
			}
		}
		if concerned && gt.state != BreakerClosed {
			gt.hold(now, retryAfter)
		}
	}
	g.settle(now)
}

// freed frees the place of a request whose answer says nothing about the provider.
func (g *Guard) freed(now time.Duration, t *Ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gates[t.traffic].released(t.round)
	g.settle(now)
}
