package guard

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a guard and what it said.
type rig struct {
	*Guard
	mu      sync.Mutex
	changes []Change
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

// answer makes n requests that all end with code.
func (b *rig) answer(tb testing.TB, n int, code push.Code, retryAfter time.Duration) {
	tb.Helper()
	for range n {
		b.admit(tb, false).Done(code, retryAfter)
	}
}

func (b *rig) admit(tb testing.TB, retry bool) Ticket {
	tb.Helper()
	ticket, err := b.Admit(context.Background(), retry)
	if err != nil {
		tb.Fatalf("admit: %v", err)
	}
	return ticket
}

// refused asks for a request that must be deferred for why.
func (b *rig) refused(tb testing.TB, retry bool, why Why) *Deferred {
	tb.Helper()
	_, err := b.Admit(context.Background(), retry)
	d, ok := err.(*Deferred) //nolint:errorlint // Admit promises this very type, unwrapped
	if !ok {
		tb.Fatalf("admit: got %v, want a deferral by %s", err, why)
	}
	if d.Why != why {
		tb.Fatalf("deferred by %s, want %s", d.Why, why)
	}
	return d
}

// between fails unless lo <= at <= hi, all counted from the call.
func between(tb testing.TB, what string, at time.Time, lo, hi time.Duration) {
	tb.Helper()
	if in := time.Until(at); in < lo || in > hi {
		tb.Fatalf("%s in %v, want within %v and %v", what, in, lo, hi)
	}
}
