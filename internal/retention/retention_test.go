package retention_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/retention"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("it is away")

func newRoom(reg prometheus.Registerer, now func() time.Time, sweeps ...retention.Sweep) *retention.Room {
	return retention.New(retention.Config{
		Sweeps: sweeps, Log: zap.NewNop(), Metrics: retention.NewMetrics(reg), Now: now, Elapsed: clock.Start(),
	})
}

// TestPassGoesOn: a kind that fails keeps no other from its turn, and is tried again.
func TestPassGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left, away := 25, true
		var took []int
		reg := prometheus.NewPedanticRegistry()
		room := newRoom(reg, time.Now,
			retention.Sweep{What: "first", Step: func(context.Context, time.Time) (int, bool, error) {
				if away {
					return 0, true, errAway
				}
				return 1, false, nil
			}},
			retention.Every("second", 10, func(_ context.Context, _ time.Time, most int) (int, error) {
				n := min(left, most)
				left -= n
				took = append(took, n)
				return n, nil
			}))
		if err := room.Pass(t.Context()); !errors.Is(err, errAway) {
			t.Errorf("a pass with a failure: %v", err)
		}
		if want := []int{10, 10, 5}; !slices.Equal(took, want) {
			t.Errorf("removed %v, want %v", took, want)
		}
		away = false
		if err := room.Pass(t.Context()); err != nil {
			t.Error(err)
		}
		for name, want := range map[string]float64{
			"first": 1, "second": 25,
		} {
			if got := value(t, reg, "belfry_retention_removed_total", name); got != want {
				t.Errorf("%v of %s counted, want %v", got, name, want)
			}
		}
		if got := value(t, reg, "belfry_retention_failures_total", "first"); got != 1 {
			t.Errorf("%v failures counted", got)
		}
	})
}

func value(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no %s of %s", name, label)
	return 0
}

// TestGivesWay: after a step that worked for some time the room leaves the store alone for
// four times as long, and it stops when it is told to.
func TestGivesWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		room := newRoom(prometheus.NewPedanticRegistry(), time.Now, retention.Sweep{
			What: "slow", Step: func(context.Context, time.Time) (int, bool, error) {
				at = append(at, time.Since(began))
				wait := time.NewTimer(10 * time.Millisecond)
				<-wait.C
				if len(at) == 3 {
					cancel()
				}
				return 1, true, nil
			},
		})
		room.Run(ctx)
		if want := []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond}; !cmp.Equal(at, want) {
			t.Errorf("steps began at %v, want %v", at, want)
		}
	})
}

// TestClockSetAhead: a wrong clock must not remove what has weeks to live.
func TestClockSetAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wrong time.Duration
		passes := 0
		room := newRoom(prometheus.NewPedanticRegistry(), func() time.Time { return time.Now().Add(wrong) }, retention.Sweep{
			What: "any", Step: func(context.Context, time.Time) (int, bool, error) { passes++; return 0, false, nil },
		})
		pass := func(after time.Duration, want int) {
			t.Helper()
			wait := time.NewTimer(after)
			<-wait.C
			if err := room.Pass(t.Context()); err != nil || passes != want {
				t.Errorf("%d passes, %v, want %d", passes, err, want)
			}
		}
		pass(time.Minute, 1)
		wrong = time.Hour
		pass(time.Minute, 2) // as far as a machine sleeps
		wrong = 365 * 24 * time.Hour
		pass(time.Minute, 2)
		pass(23*time.Hour, 2)
		pass(2*time.Hour, 3) // it is what it is
		wrong = 0
		pass(time.Minute, 4) // nothing looks older than it is
	})
}

// TestWhile: nothing is removed as long as something stands against it.
func TestWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		holds, steps := false, 0
		var failure error
		room := newRoom(prometheus.NewPedanticRegistry(), time.Now, retention.While(
			func(context.Context) (bool, error) { return holds, failure },
			retention.Sweep{What: "any", Step: func(context.Context, time.Time) (int, bool, error) { steps++; return 0, false, nil }}))
		for want := range 2 {
			if err := room.Pass(t.Context()); err != nil || steps != want {
				t.Errorf("%d steps, %v, want %d", steps, err, want)
			}
			holds = true
		}
		failure = errAway
		if err := room.Pass(t.Context()); !errors.Is(err, errAway) || steps != 1 {
			t.Errorf("%d steps, %v", steps, err)
		}
	})
}
