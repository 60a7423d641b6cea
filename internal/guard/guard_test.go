package guard

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/push"
)

func TestHealthOfEveryCode(t *testing.T) {
	t.Parallel()
	for _, f := range push.Codes() {
		want := neutral
		switch {
		case f.Sick:
			want = sick
		case f.Code == push.CodeFCMQuotaExceeded:
			want = quota
		case f.Class == push.ClassSent, f.Class == push.ClassPermanent:
			want = healthy
		}
		if got := healthOf(f.Code); got != want {
			t.Errorf("%s: %d, want %d", f.Name, got, want)
		}
	}
	if healthOf(push.CodeOpen) != neutral || healthOf(push.Code(127)) != neutral {
		t.Error("a code without meaning says something about health")
	}
}

// 500 goroutines that want more than the pace get the ramp and then the pace,
// to the request, and wait no longer than they must.
func TestAdmitPaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, func(c *Config) { c.PerSecond, c.Ramp, c.Burst = 1000, time.Minute, 0 })
		start := time.Now()
		var mu sync.Mutex
		var ramp, flat int
		var longest time.Duration
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				for time.Since(start) < 2*time.Minute {
					asked := time.Now()
					ticket, err := g.Admit(t.Context(), Ask{Traffic: TrafficHigh, To: recipient(1)})
					waited := time.Since(asked)
					if d, ok := errors.AsType[*Deferred](err); ok {
						time.Sleep(time.Until(d.Until))
						continue
					}
					mu.Lock()
					longest = max(longest, waited)
					switch at := time.Since(start); {
					case at < time.Minute:
						ramp++
					case at < 2*time.Minute:
						flat++
					}
					mu.Unlock()
					ticket.Done(push.CodeSent, 0)
				}
			})
		}
		wg.Wait()
		// From 10 to 1,000 a second in a minute: the triangle's area is 30,300.
		if ramp < 29_500 || ramp > 30_301 {
			t.Errorf("%d requests on the ramp", ramp)
		}
		if flat < 59_900 || flat > 60_001 {
			t.Errorf("%d requests in the minute after", flat)
		}
		if longest > time.Second {
			t.Errorf("an Admit blocked for %v", longest)
		}
		if s := g.State(); s.InFlight != 0 || s.Pace != 1000 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestAdmitDefersWhatThePaceCannotTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, func(c *Config) { c.PerSecond, c.Burst = 0.5, 0 })
		g.answer(t, 1, push.CodeSent, 0)
		start := time.Now()
		d := g.refused(t, TrafficRetry, WhyPace)
		between(t, "return", d.Until, 2*time.Second, 3*time.Second)
		if !time.Now().Equal(start) {
			t.Error("it blocked all the same")
		}
		if s := g.State(); s.Budget != 1000 {
			t.Errorf("the deferral cost a retry: %v left", s.Budget)
		}
		time.Sleep(time.Until(d.Until))
		g.answer(t, 1, push.CodeSent, 0)
	})
}

func TestAdmitPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, func(c *Config) { c.PerSecond, c.Burst, c.BudgetMin, c.QuotaRow = 2, 0, 0, 1 })
		first := g.admit(t, TrafficLive)
		waiting := make(chan error)
		go func() {
			_, err := g.Admit(t.Context(), Ask{Traffic: TrafficRetry, To: recipient(1)})
			waiting <- err
		}()
		synctest.Wait() // it holds a point half a second ahead
		first.Done(push.CodeFCMQuotaExceeded, 30*time.Second)
		if s := g.State(); s.Pace != 0 || time.Until(s.PausedUntil) != 30*time.Second {
			t.Fatalf("in the pause: %+v", s)
		}
		d, ok := errors.AsType[*Deferred](<-waiting)
		if !ok || d.Why != WhyPace {
			t.Fatalf("who waited got %v", d)
		}
		between(t, "return", d.Until, 29500*time.Millisecond, 37*time.Second)
		if s := g.State(); s.Budget != 1000 || s.InFlight != 0 {
			t.Fatalf("it cost a retry: %+v", s)
		}
		between(t, "return", g.refused(t, TrafficLive, WhyPace).Until, 29500*time.Millisecond, 37*time.Second)
		time.Sleep(30 * time.Second)
		g.answer(t, 1, push.CodeSent, 0)
	})
}

// One device over its own rate does not slow the others: its 429 is lost among
// the good answers.
func TestOneDevices429DoesNotSlowTheProject(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		good push.Code
	}{{"among sent", push.CodeSent}, {"among unregistered", push.CodeFCMUnregistered}, {"among unclassified", push.CodeUnclassified}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, nil)
				for range 20 {
					g.answer(t, 50, tc.good, 0)
					g.answer(t, 1, push.CodeFCMQuotaExceeded, time.Minute)
				}
				if s := g.State(); s.Pace != 10_000 {
					t.Fatalf("got %+v", s)
				}
			})
		})
	}
}

func TestAdmitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, func(c *Config) { c.PerSecond, c.Burst, c.BudgetMin = 2, 0, 0 })
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Admit(ended, Ask{Traffic: TrafficRetry, To: recipient(1)}); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		g.answer(t, 1, push.CodeSent, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := g.Admit(ctx, Ask{Traffic: TrafficRetry, To: recipient(1)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		if s := g.State(); s.Budget != 1000 || s.InFlight != 0 {
			t.Fatalf("it cost something: %+v", s)
		}
		// The point that it did not use is there for the next.
		time.Sleep(400 * time.Millisecond)
		start := time.Now()
		g.answer(t, 1, push.CodeSent, 0)
		if waited := time.Since(start); waited != 0 {
			t.Fatalf("waited %v", waited)
		}
	})
}

func TestAdmitRetryBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, func(c *Config) {
			c.BudgetBurst, c.BudgetMin, c.BudgetRatio = 3, 0, 0.1
			c.OpenAfter.Many = 1000 // the breaker stays out of it
		})
		for range 3 {
			g.admit(t, TrafficRetry).Done(push.CodeFCMInternal, 0)
		}
		d := g.refused(t, TrafficRetry, WhyRetryBudget)
		between(t, "return", d.Until, 5*time.Second, 6250*time.Millisecond)
		g.answer(t, 10, push.CodeSent, 0) // first attempts pass, and earn
		g.admit(t, TrafficRetry).Abandon()
		g.admit(t, TrafficRetry).Done(push.CodeSent, 0) // comes back: retries of a healthy provider are free
		g.admit(t, TrafficRetry).Done(push.CodeFCMQuotaExceeded, 0)
		g.refused(t, TrafficRetry, WhyRetryBudget)
		if err := g.Await(t.Context(), Ask{Traffic: TrafficRetry, To: recipient(1)}); err == nil {
			t.Error("awaited without a budget")
		}
	})
}

func TestZeroTicket(t *testing.T) {
	t.Parallel()
	Ticket{}.Done(push.CodeSent, 0)
	Ticket{}.Abandon()
}

// The breaker tells its changes in order although many goroutines cause
// them, and what is told may ask the guard.
func TestChangesUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		var g *Guard
		var changes []Change
		cfg := DefaultConfig("p")
		cfg.Ramp = 0
		g, err := New(cfg, time.Now, rand.New(rand.NewPCG(1, 2)), zap.New(core), nil, func(c Change) {
			changes = append(changes, c)
			if g.State().Credential != c.Credential {
				t.Error("another guard's change")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for time.Since(start) < 10*time.Minute {
					ticket, err := g.Admit(t.Context(), Ask{Traffic: TrafficLive, To: recipient(i)})
					time.Sleep(time.Duration(200+i%7) * time.Millisecond)
					code := push.CodeSent
					if minute := int(time.Since(start).Minutes()); minute%3 == 1 {
						code = push.CodeFCMUnavailable
					}
					if err == nil {
						ticket.Done(code, 0)
					} else {
						time.Sleep(time.Second)
					}
				}
			})
		}
		wg.Wait()
		at := BreakerClosed
		for i, c := range changes {
			if c.From != at || i > 0 && c.At.Before(changes[i-1].At) {
				t.Fatalf("change %d of %d: %+v after %v", i, len(changes), c, at)
			}
			at = c.To
		}
		if len(changes) < 6 || at != BreakerClosed {
			t.Fatalf("%d changes, now %v", len(changes), at)
		}
		if n := logs.FilterField(zap.Stringer("traffic", TrafficLive)).Len(); n != len(changes) || logs.Len() > 3*n {
			t.Fatalf("%d changes, %d log lines of it, %d in all", len(changes), n, logs.Len())
		}
		if s := g.State(); s.InFlight != 0 {
			t.Fatalf("left in flight: %+v", s)
		}
	})
}

func TestPaceCutIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		cfg := DefaultConfig("p")
		cfg.Ramp = 0
		g, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.New(core), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := &rig{Guard: g}
		for range 2 {
			for range 30 {
				b.answer(t, 1, push.CodeFCMQuotaExceeded, 0)
				time.Sleep(time.Second)
			}
			time.Sleep(time.Hour) // the pace is full again
		}
		if n := logs.FilterMessage("pace cut").Len(); n != 2 || logs.Len() != 2 {
			t.Fatalf("%d lines for two spells of 429", logs.Len())
		}
	})
}

func TestWordsAreClosed(t *testing.T) {
	t.Parallel()
	for _, w := range Whys() {
		if w.String() == Why(99).String() || w == 0 {
			t.Errorf("%d has no name", w)
		}
	}
	for i, s := range BreakerStates() {
		if int(s) != i || s.String() == "" {
			t.Errorf("%d: %s", i, s)
		}
	}
	d := &Deferred{Until: time.Unix(0, 0), Why: WhyPace}
	if got := d.Error(); got != "deferred until 1970-01-01T00:00:00Z: pace" {
		t.Errorf("got %q", got)
	}
}
