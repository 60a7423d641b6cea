package guard

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// How long what is put off by an open breaker stays away: a tenth of the outage,
// within these bounds, so that waiting costs little and what waits is back soon
// after the provider.
const (
	awayShare = 10
	awayLeast = time.Second
	awayMost  = 10 * time.Second
	// throttleAway is the same for a throttle.
	throttleAway = 2 * time.Second
	// throttleLook is the longest that one who waits for a throttle looks away.
	throttleLook = time.Second
	// highWaiters is how many of TrafficHigh may wait at a time. More of them would
	// keep the lane's workers from those who come after, and may go at once.
	highWaiters = 50
)

// refusal says why a request may not be made now.
type refusal struct {
	why   Why
	at    time.Duration // when to ask again, with patience
	later time.Duration // when to ask again, without
}

// Admit asks for leave to make one FCM request. It blocks for at most the ask's
// patience, and beyond that for Config.MaxPaceWait when its point in time is set.
// The error is a [*Deferred], [ErrStopped] or that of ctx. Each ticket must be
// handed back, by exactly one call of Done or Abandon.
func (g *Guard) Admit(ctx context.Context, ask Ask) (Ticket, error) {
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	now := g.clock()
	end := now + ask.Patience
	for {
		ring := g.bell.listen()
		ticket, no, err := g.admit(ctx, now, &ask)
		g.feed.drain()
		if err != nil || no == nil {
			return ticket, err
		}
		if now, err = g.wait(ctx, &ask, ring, now, end, no); err != nil {
			return Ticket{}, err
		}
	}
}

// Await blocks until the ask would be granted as far as breaker, throttle and
// budget are concerned, at most for its patience. It takes nothing: who prepares
// for many requests, at some cost, asks first whether it is worth it. While the
// breaker is open, it lets one go at a time. Errors are as of Admit.
func (g *Guard) Await(ctx context.Context, ask Ask) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := g.clock()
	end := now + ask.Patience
	for {
		ring := g.bell.listen()
		_, no := g.pass(now, &ask, stand)
		g.feed.drain()
		if no == nil && ask.Traffic.again() && !g.budget.has(ask.Traffic, now) {
			no = &refusal{WhyRetryBudget, now + budgetLook, now + budgetWait}
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

// wait waits until it is time to ask again; when patience would end before, it
// defers at once.
func (g *Guard) wait(ctx context.Context, ask *Ask, ring <-chan struct{}, now, end time.Duration, no *refusal) (time.Duration, error) {
	waiting := &g.waiting[ask.Traffic]
	if now >= end || ask.Traffic == TrafficHigh && waiting.Load() >= highWaiters {
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

// admit asks everybody once. What it needs last it takes first only if it can be
// given back: a place in a gate's round is for a request that is made.
func (g *Guard) admit(ctx context.Context, now time.Duration, ask *Ask) (Ticket, *refusal, error) {
	if _, no := g.pass(now, ask, look); no != nil {
		return Ticket{}, no, nil
	}
	again := ask.Traffic.again()
	if again && !g.budget.take(ask.Traffic, now) {
		return Ticket{}, &refusal{WhyRetryBudget, now + budgetLook, now + budgetWait}, nil
	}
	ticket, no, err := g.paced(ctx, now, ask)
	if again && (err != nil || no != nil) {
		g.budget.refund()
	}
	return ticket, no, err
}

// paced waits for the request's point in time.
func (g *Guard) paced(ctx context.Context, now time.Duration, ask *Ask) (Ticket, *refusal, error) {
	ahead := g.cfg.MaxPaceWait
	if ask.Traffic != TrafficHigh {
		ahead /= 2
	}
	at, ok := g.pacer.reserve(ask.Traffic, now, ahead)
	if !ok {
		// The others who wait for the same moment are spread over as long again.
		return Ticket{}, &refusal{WhyPace, at - ahead + g.jitter(max(ahead, time.Millisecond)), at}, nil
	}
	if at > now {
		if err := sleep(ctx, ask.Stop, at-now); err != nil {
			g.pacer.giveBack(at)
			return Ticket{}, nil, err
		}
		now = g.clock()
		if until, paused := g.pacer.pausedUntil(ask.Traffic, now); paused {
			return Ticket{}, &refusal{WhyPace, until, until}, nil
		}
	}
	ticket, no := g.pass(now, ask, take)
	if no != nil {
		g.pacer.giveBack(at)
		return Ticket{}, no, nil
	}
	ticket.guard = g
	g.inFlight.Add(1)
	return ticket, nil, nil
}

// pass asks the gate and the throttle of the traffic.
func (g *Guard) pass(now time.Duration, ask *Ask, how manner) (Ticket, *refusal) {
	t := Ticket{traffic: ask.Traffic, budgeted: ask.Traffic.again(), to: ask.To}
	if !g.alert.Load() {
		return t, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.traffic < TrafficRetry && g.suspects.has(ask.To, now) {
		t.traffic = TrafficRetry // it failed before, so it is no good probe
	}
	gt := g.gates[t.traffic]
	var better time.Duration
	for _, b := range g.gates[:t.traffic] {
		if b.state != BreakerClosed {
			better = max(better, b.asked+overdue)
		}
	}
	r, at, ok := gt.enter(now, better, how)
	if gt.stir { // its time had come
		g.settle(now)
	}
	if !ok {
		away := min(max((now-gt.openAt)/awayShare, awayLeast), awayMost)
		return t, &refusal{WhyBreakerOpen, at, max(at, now+away)}
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
		look := g.jitter(min(max(turn, time.Millisecond), throttleLook))
		return t, &refusal{WhyThrottle, at + look, max(at, now+throttleAway)}
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
// it tells the hot path whether to take the lock, and wakes who waits.
func (g *Guard) settle(now time.Duration) {
	alert, doubt, stir := false, false, false
	for _, gt := range g.gates {
		gt.throttle.rate(now) // may end it
		stir, gt.stir = stir || gt.stir, false
		alert = alert || gt.state != BreakerClosed || gt.throttle.active
		doubt = doubt || !gt.evidence.clean()
	}
	g.alert.Store(alert)
	g.doubt.Store(doubt || alert)
	if stir {
		g.bell.ring()
	}
}

// well books a healthy answer where that changes something.
func (g *Guard) well(now time.Duration, t *Ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, gt := range g.gates {
		switch {
		case t.round != nil && k == int(t.traffic):
			gt.answered(now, t.round, nil)
		case gt.state == BreakerClosed:
			gt.closedWell(now)
		default:
			gt.credit(now)
		}
	}
	if t.traffic.again() {
		g.suspects.clear(t.to)
	}
	g.settle(now)
}

// ill books a sick answer. It speaks against its own kind of traffic and against
// those that are worse; one that surely never got into FCM is nobody's own fault,
// and speaks against all. The others look only whether what they have heard has
// lasted long enough.
func (g *Guard) ill(now time.Duration, t *Ticket, code push.Code, retryAfter time.Duration) {
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
			if concerned && counts {
				gt.evidence.add(now, certain)
				gt.throttle.sicken(now, gt.evidence.share, rate)
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

// freed books that a request of a round said nothing: its place is free again.
func (g *Guard) freed(now time.Duration, t *Ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gates[t.traffic].released(t.round)
	g.settle(now)
}

func sleep(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-stop:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}
