package guard

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// leastSpread is the least jitter of a deferral: queues delay by whole seconds.
const leastSpread = time.Second

// ErrStopped is the error of an Admit whose Ask.Stop was closed while it waited.
var ErrStopped = errors.New("guard: nobody waits for the leave any more")

// Guard gives leave to make requests with one FCM credential. It is safe for
// concurrent use. It starts no goroutines, but that of a timer which lets go who waits.
// Make it with [New].
type Guard struct {
	cfg      Config
	now      func() time.Time
	epoch    time.Time // inside, times are durations since then: monotonic, and small enough for an atomic
	log      *zap.Logger
	onChange func(Change)
	metrics  *Metrics

	pacer     *pacer
	budget    *budget
	meter     *meter
	bell      *bell
	feed      feed
	inFlight  atomic.Int64
	waiting   [kinds]atomic.Int64                 // in Admit and Await
	deferrals [WhyThrottle + 1]prometheus.Counter // by Why

	// Both spare the hot path the lock. alert: a gate is not closed or a throttle
	// holds, so that requests must ask them. doubt: a healthy answer changes
	// something.
	alert, doubt atomic.Bool

	mu       sync.Mutex // guards the gates, the suspects and the hand
	hand     hand       // an operator's, on the breakers
	gates    [kinds]*gate
	suspects *suspects

	rndMu sync.Mutex
	rnd   *rand.Rand
}

// New returns a guard with closed breakers, a full retry budget and a pace at
// the foot of its ramp.
//
// now is [time.Now], or nil for it. The breakers' library reads time.Now itself, so
// a test that turns the clock runs in a testing/synctest bubble. rnd is the source
// of jitter; the guard owns it from here on. m may be nil: nothing is measured then.
// One Metrics takes one guard per credential.
//
// onChange, which may be nil, hears of every transition of the credential's
// breaker, and of an operator's hand on it: outside all locks, one at a time, in order, on the goroutine of whoever
// called Admit or Done. It should return soon and must not panic; it may use the
// guard.
//
// The error names every option that is out of range.
func New(cfg Config, now func() time.Time, rnd *rand.Rand, log *zap.Logger, m *Metrics, onChange func(Change)) (*Guard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("guard of %q: %w", cfg.Credential, err)
	}
	if rnd == nil || log == nil {
		return nil, errors.New("guard: needs a source of jitter and a logger")
	}
	if now == nil {
		now = time.Now
	}
	if onChange == nil {
		onChange = func(Change) {}
	}
	if m == nil {
		m = newMetrics()
	}
	g := &Guard{
		cfg: cfg, now: now, epoch: now(), rnd: rnd, onChange: onChange, metrics: m,
		log:    log.With(zap.String("credential", cfg.Credential)),
		budget: newBudget(cfg), meter: newMeter(), bell: newBell(), suspects: newSuspects(),
	}
	g.pacer = newPacer(cfg, g.clock)
	g.feed.sink = g.announce
	for _, t := range Traffics() {
		g.gates[t] = newGate(&g.cfg, t, g.meter, &g.hand, g.shown)
	}
	if err := m.add(g); err != nil {
		return nil, err
	}
	return g, nil
}

// Close takes the guard out of its metrics, and lets nobody go any more that waits for
// the shared quota. It need not be called at the end of the process if nobody shares
// that, only when the credential is no longer used.
func (g *Guard) Close() {
	g.pacer.close()
	g.metrics.remove(g)
}

// State returns a snapshot. It changes nothing, but that a half-open breaker closes
// if all has been well for ten seconds and nobody asked since. Its parts are read
// one after the other, so under load they may be some microseconds apart.
func (g *Guard) State() State {
	defer g.feed.drain()
	now := g.clock()
	s := State{
		Credential: g.cfg.Credential,
		InFlight:   int(g.inFlight.Load()),
		Pace:       g.pacer.pace(now),
		Budget:     g.budget.left(now),
	}
	s.Share, s.ShareStale = g.pacer.sharing(now)
	if until, paused := g.pacer.pausedUntil(TrafficLive, now); paused {
		s.PausedUntil = g.epoch.Add(until)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	defer g.settle(now)
	g.overdue(now)
	for t, gt := range g.gates {
		gt.closeByTime(now)
		throttle := gt.throttle // rate may end it
		s.Traffic[t] = TrafficState{Breaker: gt.shown, Throttle: throttle.rate(now)}
		s.Traffic[t].Throttled = throttle.active
	}
	live := g.gates[TrafficLive]
	s.Breaker, s.Since, s.Cause, s.Sick = live.shown, g.epoch.Add(live.since), live.code, live.evidence.share
	if g.hand.on {
		s.Override = g.hand.Override
	}
	switch {
	case g.hand.holds(BreakerOpen, now):
		s.Until = g.hand.Until
	case live.shown == BreakerOpen:
		s.Until = g.epoch.Add(live.until)
	}
	return s
}

func (g *Guard) jitter(below time.Duration) time.Duration {
	g.rndMu.Lock()
	defer g.rndMu.Unlock()
	return time.Duration(g.rnd.Int64N(int64(below)))
}

func (g *Guard) clock() time.Duration { return g.now().Sub(g.epoch) }

// note is what a gate has to tell.
type note struct {
	Change

	traffic Traffic
	by      move
	same    bool // the credential's breaker tells the same
	open    time.Duration
}

// shown runs under the guard's lock: it only takes note.
func (g *Guard) shown(gt *gate, from BreakerState) {
	n := note{
		Change:  Change{Credential: g.cfg.Credential, From: from, To: gt.shown, At: g.epoch.Add(gt.now)},
		traffic: gt.traffic,
		same:    gt.traffic > TrafficLive && g.gates[TrafficLive].shown == gt.shown,
		open:    gt.now - gt.openAt,
	}
	if g.hand.moving { // all follow, and are told of as one
		return
	}
	// What was not told to open, as live traffic's did, is not told to half-open and close.
	if gt.shown == BreakerOpen && from == BreakerClosed {
		gt.told = !n.same
	}
	n.same = n.same || gt.traffic > TrafficLive && !gt.told
	if gt.shown == BreakerOpen {
		n.Until, n.Cause = g.epoch.Add(gt.until), gt.code
	}
	g.feed.put(n)
}

// announce runs outside all locks. The log tells every change once: of retries and
// replays only what differs from live traffic.
func (g *Guard) announce(n note) {
	traffic := zap.Stringer("traffic", n.traffic)
	switch {
	case n.by != byItself:
		if !g.announceHand(n) {
			return
		}
	case n.same:
	case n.To == BreakerOpen:
		g.log.Warn("breaker opened", traffic, zap.Stringer("reason", n.Cause), zap.Time("until", n.Until))
	case n.To == BreakerHalfOpen:
		g.log.Info("breaker half-open", traffic)
	case n.To == BreakerClosed:
		g.log.Info("breaker closed", traffic, zap.Duration("after", n.open))
	}
	if n.traffic == TrafficLive {
		g.onChange(n.Change)
	}
}

// health is what an answer says about the provider.
type health uint8

const (
	healthy health = iota // it did its work
	sick                  // it did not
	neutral               // can't tell
	quota                 // it is well, but we ask too much of it
)

func healthOf(code push.Code) health {
	switch {
	case code.Sick():
		return sick
	case code == push.CodeFCMQuotaExceeded:
		return quota
	case code == push.CodeSent, code.Class() == push.ClassPermanent:
		return healthy
	default:
		return neutral
	}
}
