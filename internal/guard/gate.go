package guard

import (
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	// windowSpan and windowStep are of the library's rolling window: a row of sick
	// answers is remembered for so long.
	windowSpan = 2 * time.Minute
	windowStep = 10 * time.Second
	// slowest is the part of an outage after which the next probe goes out: a
	// provider that has been away for a minute is asked every four seconds.
	slowest = 15
	// betterFirst is how long a better kind of traffic that is held as well is given to
	// probe first.
	betterFirst = 2 * time.Second
	// claimFor is how long one who awaited a probe's time has to make it before the
	// next may try.
	claimFor = 500 * time.Millisecond
	// closeAfter is how long ago the last good round may be before a gate closes although
	// there was not enough traffic for the next.
	closeAfter = 10 * time.Second
	// roundWait is after how long a request without a place in a round looks again;
	// it is woken before, when a place is free.
	roundWait = time.Second
	// goodShare is the least share of healthy answers in a good round: one in eight.
	// What is worse than that is as good as gone; what is better runs throttled.
	goodShare = 8
)

// rounds are the sizes of the rounds of a half-open gate: few requests at first,
// then more, as long as they do well. After the last one the gate closes, and the
// throttle takes over, at its floor.
//
//nolint:gochecknoglobals // read-only table
var rounds = [...]int{1, 4, 16}

// sickError reports an answer that counts against the provider.
type sickError struct {
	code       push.Code
	retryAfter time.Duration
}

func (e *sickError) Error() string { return e.code.String() }

// gate is the circuit breaker of one kind of traffic. It opens for total outages
// only: partial ones are the throttle's.
//
// The library keeps the state. In the closed state it hears of single answers and
// asks total whether to open. A half-open gate lets rounds of requests out, and
// the library hears of rounds: three good ones in a row close it, a bad one opens
// it again. The library's own open time is as good as none: until says when a
// request may probe, and before that the library is not asked.
//
// A failed probe of an open gate is not reported: the state that the guard shows
// stays open until the first good round.
//
// The guard's lock guards it. The library's callbacks run under that lock too.
type gate struct {
	told     bool // that it opened: see shown
	evidence evidence
	throttle throttle

	hand       *hand // the operator's, on all gates of the guard
	traffic    Traffic
	cb         *gobreaker.TwoStepCircuitBreaker[struct{}]
	probeEvery time.Duration
	probeMax   time.Duration
	onShow     func(g *gate, from BreakerState)

	state        BreakerState  // of the library
	now          time.Duration // of the call under way, for the library's callbacks
	cause        sickError     // of the sick answer or round under way
	quiet        time.Duration // of healthy answers, when the answer under way came
	openAt       time.Duration // when it opened, failed probes aside
	until        time.Duration // no probe before
	asked        time.Duration // when its traffic asked last, while it was not closed
	claimedUntil time.Duration // until then somebody else is about to probe
	good         int           // rounds since it is half-open
	lastGoodAt   time.Duration // the last of them
	round        *round        // the present one, nil between two
	mayPass      bool          // something may pass that could not before

	shown BreakerState
	since time.Duration
	code  push.Code // of the answer that opened it last
}

// round is a group of probes that are judged together.
type round struct {
	size, out     int
	healthy, sick int
	done          func(error) // the library's
	cause         sickError
}

func newGate(cfg *Config, t Traffic, m *meter, h *hand, onShow func(*gate, BreakerState)) *gate {
	g := &gate{
		hand: h, traffic: t, throttle: newThrottle(cfg, t, m), probeEvery: cfg.ProbeEvery, probeMax: cfg.ProbeMax,
		onShow: onShow, asked: -betterFirst,
	}
	trip := cfg.OpenAfter
	g.cb = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:          cfg.Credential + " " + t.String(),
		MaxRequests:   uint32(len(rounds)),
		Interval:      windowSpan,
		BucketPeriod:  windowStep,
		Timeout:       1, // ns; until is the gate
		ReadyToTrip:   func(gobreaker.Counts) bool { return g.trips(trip) },
		OnStateChange: func(_ string, from, to gobreaker.State) { g.moved(stateOf(from), stateOf(to)) },
	})
	return g
}

// trips reports whether a closed gate opens on a sick answer.
func (g *gate) trips(t Trip) bool {
	switch {
	case g.hand.holds(BreakerOpen, g.now):
		return true
	case g.hand.holds(BreakerClosed, g.now):
		return false
	}
	return g.evidence.total(t, g.now, g.quiet)
}

// mode is how a gate and a throttle are asked.
type mode uint8

const (
	look  mode = iota // only
	claim             // so that others who do may wait for this one's probe
	take              // what they give
)

// enter asks for a place for one request. r is its round, nil while the gate is
// closed. Without leave, at is when to ask again. better is when it is this
// traffic's turn to probe, should a better kind be held as well.
func (g *gate) enter(now, better time.Duration, how mode) (r *round, at time.Duration, ok bool) {
	if g.hand.holds(BreakerOpen, now) {
		return nil, min(g.hand.until, now+overrideLook), false
	}
	g.closeByTime(now)
	if g.state == BreakerClosed {
		return nil, now, true
	}
	g.asked = now
	due := max(better, g.until)
	switch {
	case now < due:
		return nil, due, false
	case g.round != nil && g.round.out+g.round.healthy+g.round.sick >= g.round.size:
		return nil, now + roundWait, false
	case how == claim && g.state == BreakerOpen && now < g.claimedUntil:
		return nil, g.claimedUntil, false
	case how == claim:
		g.claimedUntil = now + claimFor
		return nil, now, true
	case how == look:
		return nil, now, true
	case g.round == nil && !g.begin(now):
		return nil, now + g.probeEvery, false
	}
	g.round.out++
	return g.round, now, true
}

// begin begins the next round.
func (g *gate) begin(now time.Duration) bool {
	g.now = now
	done, err := g.cb.Allow()
	if err != nil { // it opened in this very instant
		return false
	}
	g.round = &round{size: rounds[min(g.good, len(rounds)-1)], done: done}
	return true
}

// answered records the answer to a request of a round. A round that was judged
// already, or ended with the state, is not told of any more answers.
func (g *gate) answered(now time.Duration, r *round, sick *sickError) {
	if r != g.round {
		return
	}
	r.out--
	if sick == nil {
		r.healthy++
	} else {
		r.sick++
		r.cause.code, r.cause.retryAfter = sick.code, max(r.cause.retryAfter, sick.retryAfter)
	}
	g.judge(now)
}

// released frees the place of a request whose answer says nothing about the provider.
func (g *gate) released(r *round) {
	if r == g.round {
		r.out--
		g.mayPass = true
	}
}

// judge ends the round when half of it is answered.
func (g *gate) judge(now time.Duration) {
	r := g.round
	all := r.healthy + r.sick
	if 2*all < r.size {
		return
	}
	g.now, g.round = now, nil
	if r.healthy*goodShare < all {
		g.cause = r.cause
		r.done(&g.cause)
		return
	}
	g.passed(r.done)
}

// passed records a good round.
func (g *gate) passed(done func(error)) {
	g.good++
	g.lastGoodAt, g.mayPass = g.now, true
	done(nil)
	if g.state == BreakerHalfOpen {
		g.show(BreakerHalfOpen)
	}
}

// closeByTime closes a half-open gate that had no failure and too little traffic for
// the next round since its last good one.
func (g *gate) closeByTime(now time.Duration) {
	if g.state == BreakerHalfOpen && g.good > 0 && now-g.lastGoodAt >= closeAfter && (g.round == nil || g.round.sick == 0) {
		g.credit(now)
	}
}

// credit records a healthy answer to a request outside the present round:
// other traffic gets through, so this is no total outage, and the gate closes. The
// throttle handles what is left of it.
func (g *gate) credit(now time.Duration) {
	if g.hand.holds(BreakerOpen, now) {
		return // what was under way when an operator opened it says nothing
	}
	g.now = now
	if r := g.round; r != nil {
		g.round = nil
		g.passed(r.done)
	}
	for range rounds { // no more than are left
		if g.state == BreakerClosed {
			return
		}
		done, err := g.cb.Allow()
		if err != nil { // it opened in this very instant
			return
		}
		g.good++
		done(nil)
	}
}

// closedWell and closedSick tell the library of an answer while the gate is closed.
func (g *gate) closedWell(now time.Duration) {
	row := g.evidence.sick
	g.evidence.recordHealthy()
	if row == 0 {
		return // it knows of no failure since the last success
	}
	g.now = now
	if done, err := g.cb.Allow(); err == nil {
		done(nil)
	}
}

func (g *gate) closedSick(now, quiet time.Duration, sick *sickError) {
	g.now, g.quiet, g.cause = now, quiet, *sick
	if done, err := g.cb.Allow(); err == nil {
		done(&g.cause)
	}
}

// hold keeps a gate that is not closed from probing for as long as FCM says.
func (g *gate) hold(now, retryAfter time.Duration) {
	if retryAfter > 0 {
		g.until = max(g.until, now+retryAfter)
	}
}

// moved is the library's callback for a change of state.
func (g *gate) moved(from, to BreakerState) {
	g.state, g.mayPass = to, g.mayPass || to == BreakerClosed
	switch to {
	case BreakerOpen:
		if from == BreakerClosed {
			g.openAt = g.now
		}
		g.good, g.round, g.code = 0, nil, g.cause.code
		g.until = max(g.until, g.now+max(g.interval(g.now), g.cause.retryAfter))
		g.show(BreakerOpen)
	case BreakerHalfOpen: // shown when a round was good
	case BreakerClosed:
		g.evidence = evidence{}
		g.round, g.until = nil, 0
		g.throttle.resume(g.now)
		g.show(BreakerClosed)
	}
}

// interval is the time between two probes.
func (g *gate) interval(now time.Duration) time.Duration {
	return min(max(g.probeEvery, (now-g.openAt)/slowest), g.probeMax)
}

// show changes the state that the guard reports for the gate.
func (g *gate) show(to BreakerState) {
	if from := g.shown; from != to {
		g.shown, g.since = to, g.now
		g.onShow(g, from)
	}
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
