package guard

import (
	"context"
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

// Guard gives leave to make requests with one FCM credential. It is safe for
// concurrent use and starts no goroutines. Make it with [New].
type Guard struct {
	cfg      Config
	now      func() time.Time
	epoch    time.Time // inside, times are durations since then: monotonic, and small enough for an atomic
	log      *zap.Logger
	onChange func(Change)
	metrics  *Metrics

	pacer     *pacer
	breaker   *breaker
	budget    *budget
	feed      feed
	inFlight  atomic.Int64
	deferrals [WhyRetryBudget + 1]prometheus.Counter // by Why

	rndMu sync.Mutex
	rnd   *rand.Rand
}

// New returns a guard with a closed breaker, a full retry budget and a pace at
// the foot of its ramp.
//
// now is [time.Now], or nil for it. The breaker's rolling window reads time.Now
// itself, so a test that turns the clock runs in a testing/synctest bubble. rnd
// is the source of jitter; the guard owns it from here on. m may be nil: nothing
// is measured then. One Metrics takes one guard per credential.
//
// onChange, which may be nil, hears of every transition of the breaker: outside
// all locks, one at a time, in order, on the goroutine of whoever called Admit
// or Done. It should return soon and must not panic; it may use the guard.
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
		pacer:  newPacer(cfg),
		budget: newBudget(cfg),
	}
	g.feed.sink = g.announce
	g.breaker = newBreaker(cfg, g.clock, g.changed)
	if err := m.add(g); err != nil {
		return nil, err
	}
	return g, nil
}

// Close takes the guard out of its metrics. It need not be called at the end of
// the process, only when the credential is no longer used.
func (g *Guard) Close() { g.metrics.remove(g) }

// Admit asks for leave to make one FCM request; retry says that the delivery
// was tried before, which draws on the retry budget. It blocks for pacing, at
// most Config.MaxPaceWait. The error is a [*Deferred] or that of ctx. Each
// ticket must be handed back, by exactly one call of Done or Abandon.
func (g *Guard) Admit(ctx context.Context, retry bool) (Ticket, error) {
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	now := g.clock()
	if until, open := g.breaker.blocked(now); open {
		return Ticket{}, g.deferred(WhyBreakerOpen, now, until)
	}
	if retry && !g.budget.take(now) {
		return Ticket{}, g.deferred(WhyRetryBudget, now, now+budgetWait)
	}
	t, err := g.admit(ctx, now)
	if err != nil {
		if retry {
			g.budget.refund()
		}
		return Ticket{}, err
	}
	t.retry = retry
	return t, nil
}

func (g *Guard) admit(ctx context.Context, now time.Duration) (Ticket, error) {
	at, ok := g.pacer.reserve(now, g.cfg.MaxPaceWait)
	if !ok {
		return Ticket{}, g.deferred(WhyPace, now, at)
	}
	if at > now {
		if err := sleep(ctx, at-now); err != nil {
			g.pacer.giveBack(at)
			return Ticket{}, err
		}
		now = g.clock()
		if until, paused := g.pacer.pausedUntil(now); paused {
			return Ticket{}, g.deferred(WhyPace, now, until)
		}
	}
	done, again, ok := g.breaker.allow(now)
	g.feed.drain() // the request may have made an open breaker half-open
	if !ok {
		g.pacer.giveBack(at)
		return Ticket{}, g.deferred(WhyBreakerOpen, now, again)
	}
	g.inFlight.Add(1)
	return Ticket{guard: g, done: done}, nil
}

// State returns a snapshot. It changes nothing. Its parts are read one after
// the other, so under load they may be some microseconds apart.
func (g *Guard) State() State {
	now := g.clock()
	s := State{
		Credential: g.cfg.Credential,
		Counts:     g.breaker.counts(),
		InFlight:   int(g.inFlight.Load()),
		Pace:       g.pacer.pace(now),
		Budget:     g.budget.left(now),
	}
	state, since, until, cause := g.breaker.look(now)
	s.Breaker, s.Since, s.Cause = state, g.epoch.Add(since), cause
	if state == BreakerOpen {
		s.Until = g.epoch.Add(until)
	}
	if until, paused := g.pacer.pausedUntil(now); paused {
		s.PausedUntil = g.epoch.Add(until)
	}
	return s
}

// deferred counts a refusal. Its time is not before at, plus jitter.
func (g *Guard) deferred(why Why, now, at time.Duration) *Deferred {
	g.deferrals[why].Inc()
	spread := max(leastSpread, (at-now)/4)
	return &Deferred{Why: why, Until: g.epoch.Add(at + g.jitter(spread))}
}

func (g *Guard) jitter(below time.Duration) time.Duration {
	g.rndMu.Lock()
	defer g.rndMu.Unlock()
	return time.Duration(g.rnd.Int64N(int64(below)))
}

func (g *Guard) clock() time.Duration { return g.now().Sub(g.epoch) }

// changed runs under the breaker's lock: it only takes note.
func (g *Guard) changed(t transition) {
	c := Change{Credential: g.cfg.Credential, From: t.from, To: t.to, At: g.epoch.Add(t.at), Cause: t.cause}
	switch t.to {
	case BreakerClosed:
		g.pacer.restart(t.at)
	case BreakerOpen:
		c.Until = g.epoch.Add(t.until)
	case BreakerHalfOpen:
	}
	g.feed.put(c)
}

// announce runs outside all locks.
func (g *Guard) announce(c Change) {
	switch c.To {
	case BreakerOpen:
		g.log.Warn("breaker opened", zap.Stringer("reason", c.Cause), zap.Time("until", c.Until))
	case BreakerHalfOpen:
		g.log.Info("breaker half-open")
	case BreakerClosed:
		g.log.Info("breaker closed", zap.Duration("ramp", g.cfg.Ramp))
	}
	g.onChange(c)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
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
