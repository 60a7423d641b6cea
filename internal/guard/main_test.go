package guard

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

// rig is a guard and what it said.
type rig struct {
	*Guard
	recipients atomic.Int64
	mu         sync.Mutex
	changes    []Change
}

// setup makes a guard from the defaults, without ramp unless tune sets one.
func setup(tb testing.TB, tune func(*Config)) *rig {
	tb.Helper()
	cfg := DefaultConfig("project-a")
	cfg.Ramp = 0
	if tune != nil {
		tune(&cfg)
	}
	b := &rig{}
	g, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, func(c Change) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.changes = append(b.changes, c)
	})
	if err != nil {
		tb.Fatalf("new guard: %v", err)
	}
	b.Guard = g
	return b
}

// recipient returns the address of recipient i.
func recipient(i int) push.Address {
	return push.Address{Kind: push.KindToken, Value: push.Token("r" + strconv.Itoa(i))}
}

// next returns a recipient that was not there before.
func (b *rig) next() push.Address { return recipient(int(b.recipients.Add(1))) }

// answer makes n requests, each to another recipient, that all end with code.
func (b *rig) answer(tb testing.TB, n int, code push.Code, retryAfter time.Duration) {
	tb.Helper()
	b.answerAs(tb, TrafficLive, n, code, retryAfter)
}

func (b *rig) answerAs(tb testing.TB, t Traffic, n int, code push.Code, retryAfter time.Duration) {
	tb.Helper()
	for range n {
		b.admit(tb, t).Done(code, retryAfter)
	}
}

func (b *rig) admit(tb testing.TB, t Traffic) Ticket {
	tb.Helper()
	return b.admitTo(tb, t, b.next())
}

func (b *rig) admitTo(tb testing.TB, t Traffic, to push.Address) Ticket {
	tb.Helper()
	ticket, err := b.Admit(context.Background(), Ask{Traffic: t, To: to})
	if err != nil {
		tb.Fatalf("admit %s: %v", t, err)
	}
	return ticket
}

// refused asks for a request that must be deferred for why.
func (b *rig) refused(tb testing.TB, t Traffic, why Why) *Deferred {
	tb.Helper()
	_, err := b.Admit(context.Background(), Ask{Traffic: t, To: b.next()})
	d, ok := err.(*Deferred) //nolint:errorlint // Admit promises this very type, unwrapped
	if !ok {
		tb.Fatalf("admit %s: got %v, want a deferral by %s", t, err, why)
	}
	if d.Why != why {
		tb.Fatalf("%s deferred by %s, want %s", t, d.Why, why)
	}
	return d
}

// path is the states that the credential's breaker went to, in order.
func (b *rig) path() []BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	var to []BreakerState
	for _, c := range b.changes {
		to = append(to, c.To)
	}
	return to
}

func (b *rig) last(tb testing.TB) Change {
	tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.changes) == 0 {
		tb.Fatal("no change was told")
	}
	return b.changes[len(b.changes)-1]
}

// between fails unless lo <= at <= hi, all counted from the call.
func between(tb testing.TB, what string, at time.Time, lo, hi time.Duration) {
	tb.Helper()
	if in := time.Until(at); in < lo || in > hi {
		tb.Fatalf("%s in %v, want within %v and %v", what, in, lo, hi)
	}
}
