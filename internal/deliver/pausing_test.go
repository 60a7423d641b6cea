package deliver_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

// operator is an operator's pauses, which are known everywhere at once.
type operator struct {
	mu      sync.Mutex
	tenant  string // "" is everything
	on      bool
	changed chan struct{}
}

func newOperator(tenant string) *operator {
	return &operator{tenant: tenant, changed: make(chan struct{})}
}

// Paused implements [deliver.Pauses].
func (s *operator) Paused(tenant, _ string) (paused, everything bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on && (s.tenant == "" || s.tenant == tenant), s.on && s.tenant == "", s.changed
}

func (s *operator) set(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
	close(s.changed)
	s.changed = make(chan struct{})
}

var _ deliver.Pauses = (*operator)(nil)

// While an operator has paused the tenant or everything, no request begins on any lane of any process, however they are
// held up; when that is lifted, what waits goes on within a second, with the attempts that it had; nobody is given up.
func TestNothingStartsWhileAnOperatorPauses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Rounds(raced.Rounds(40))) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		in(t, 500, nil, func(r *rig) {
			op := newOperator([]string{"", "acme"}[rnd.IntN(2)])
			r.cfg.Pauses = op
			r.fcm.latency = []time.Duration{0, 50 * time.Millisecond, 800 * time.Millisecond}[rnd.IntN(3)]
			r.slow = []time.Duration{0, 20 * time.Millisecond, 300 * time.Millisecond}[rnd.IntN(3)]
			r.change(func(n *push.Notification) { n.PerSecond, n.Progress.Pages = []int{0, 0, 150}[rnd.IntN(3)], 2 })
			g := newGuard(r.tb, func(c *guard.Config) { c.PerSecond = []float64{1e6, 120, 20}[rnd.IntN(3)] })
			lanes := []lane{
				r.lane(push.LaneBulk, g, r.chunk), r.lane(push.LaneHigh, g, r.another(1, 300)),
				r.lane(push.LaneBulk, newGuard(r.tb, nil), r.another(2, 300)),
			}
			var all sync.WaitGroup
			begin := time.Now()
			for _, l := range lanes {
				all.Go(func() { l.run(r.tb, begin.Add(2*time.Hour)) })
			}
			time.Sleep(time.Duration(rnd.Int64N(int64(6 * time.Second))))
			op.set(true)
			paused := time.Now()
			before := len(r.fcm.starts())
			time.Sleep(time.Hour + 3*time.Millisecond)
			op.set(false)
			lifted := time.Now()
			all.Wait()
			for _, l := range lanes {
				l.Close()
			}
			time.Sleep(time.Second) // a reading of the notification may be under way
			starts, first := r.fcm.starts(), time.Time{}
			for _, at := range starts {
				if at.After(paused) && at.Before(lifted) {
					r.tb.Fatalf("seed %d: a request began %v after the pause", seed, at.Sub(paused))
				}
				if !at.Before(lifted) && (first.IsZero() || at.Before(first)) {
					first = at
				}
			}
			if len(starts) > before && first.Sub(lifted) > time.Second {
				r.tb.Errorf("seed %d: sending went on %v after the pause", seed, first.Sub(lifted))
			}
			for ref, l := range r.ledger.AllLines() {
				if l.State != ledger.StateClosed {
					r.tb.Errorf("seed %d: line %s is %s with %d open", seed, ref, l.State, l.OpenCount())
				}
				for _, cell := range l.Cells {
					if cell.Code() != push.CodeSent {
						r.tb.Fatalf("seed %d: %s in line %s", seed, cell.Code(), ref)
					}
				}
			}
		})
	}
}

// What reaches the end of its life during a pause ends as expired.
func TestExpiresWhilePaused(t *testing.T) {
	t.Parallel()
	in(t, 50, nil, func(r *rig) {
		op := newOperator("acme")
		op.set(true)
		r.cfg.Pauses = op
		r.change(func(n *push.Notification) { n.ExpiresAt = time.Now().Add(time.Minute) })
		l := r.lane(push.LaneBulk, newGuard(r.tb, nil), r.chunk)
		begin := time.Now()
		l.run(r.tb, begin.Add(time.Hour))
		l.Close()
		if took := time.Since(begin); took < time.Minute || took > time.Minute+2*time.Second {
			t.Errorf("it was settled after %v", took)
		}
		for _, line := range r.ledger.AllLines() {
			if got := line.Cells[0].Code(); line.State != ledger.StateClosed || got != push.CodeExpired {
				t.Errorf("%s, %s", line.State, got)
			}
		}
		if n := len(r.fcm.starts()); n > 0 {
			t.Errorf("%d requests", n)
		}
	})
}
