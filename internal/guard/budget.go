package guard

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// budgetWait is how long a retry without budget is put off: short beside the
	// 10 s that most retries waited already, long enough that re-queuing the
	// same work over and over costs little.
	budgetWait = 5 * time.Second
	// budgetPoll is the time between two checks of a request that waits for the budget.
	budgetPoll = 100 * time.Millisecond
	// replayReserve is the divisor of the part of the budget that replays leave to
	// live traffic: a quarter.
	replayReserve = 4
	// roundOff forgives the budget's float64 sums: ten times 0.1 buys one retry.
	roundOff = 1e-9
)

// budget bounds the retries that fail. Healthy answers and time add to it, and a
// retry takes one out. It limits the load of messages that fail again and again,
// which the throttle does not see. A retry that finds the provider healthy is
// refunded, so a backlog of retries alone is not held up once the provider is well.
type budget struct {
	ratio     float64 // per healthy answer
	perSecond float64
	burst     float64

	full atomic.Bool // spares the hot path the lock

	mu     sync.Mutex
	tokens float64
	at     time.Duration // of the last refill, since the guard's epoch
}

func newBudget(cfg Config) *budget {
	return &budget{ratio: cfg.BudgetRatio, perSecond: cfg.BudgetMin, burst: cfg.BudgetBurst, tokens: cfg.BudgetBurst}
}

// has reports whether there is a retry for a kind of traffic.
func (b *budget) has(t Traffic, now time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.enough(t, now)
}

func (b *budget) enough(t Traffic, now time.Duration) bool {
	b.refill(now)
	left := b.tokens
	if t == TrafficReplay {
		left -= min(b.burst/replayReserve, b.burst-1)
	}
	return left >= 1-roundOff
}

// take spends one retry, if there is one.
func (b *budget) take(t Traffic, now time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.enough(t, now) {
		return false
	}
	b.tokens = max(0, b.tokens-1)
	b.full.Store(b.tokens >= b.burst)
	return true
}

// refund gives back what take spent on a request that was not made.
func (b *budget) refund() { b.add(1) }

// earn records a healthy answer, to a retry or to a first attempt.
func (b *budget) earn(retry bool) {
	if retry {
		b.add(1 + b.ratio)
		return
	}
	b.add(b.ratio)
}

// left returns how many retries the budget holds.
func (b *budget) left(now time.Duration) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill(now)
	return b.tokens
}

func (b *budget) add(n float64) {
	if b.full.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.burst, b.tokens+n)
	b.full.Store(b.tokens >= b.burst)
}

func (b *budget) refill(now time.Duration) {
	if now <= b.at { // callers read the clock before they get the lock
		return
	}
	b.tokens = min(b.burst, b.tokens+b.perSecond*(now-b.at).Seconds())
	b.at = now
}
