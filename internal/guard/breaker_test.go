package guard

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

// path is the states that a guard went to, in order.
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

func TestBreakerLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, func(c *Config) { c.Ramp = time.Minute })
		time.Sleep(time.Minute)

		g.answer(t, 19, push.CodeFCMUnavailable, 0)
		if s := g.State(); s.Breaker != BreakerClosed || s.Counts != (Counts{Requests: 19, Sick: 19}) {
			t.Fatalf("after 19 sick answers: %+v", s)
		}
		g.answer(t, 1, push.CodeFCMInternal, 0)
		opened := g.last(t)
		want := Change{
			Credential: "project-a", From: BreakerClosed, To: BreakerOpen,
			At: time.Now(), Until: time.Now().Add(10 * time.Second), Cause: push.CodeFCMInternal,
		}
		if opened != want {
			t.Fatalf("told %+v, want %+v", opened, want)
		}
		if s := g.State(); s.Breaker != BreakerOpen || !s.Until.Equal(want.Until) || s.Cause != push.CodeFCMInternal || !s.Since.Equal(want.At) {
			t.Fatalf("open: %+v", s)
		}
		d := g.refused(t, false, WhyBreakerOpen)
		between(t, "return", d.Until, 10*time.Second, 12500*time.Millisecond)

		time.Sleep(10*time.Second - time.Nanosecond)
		g.refused(t, false, WhyBreakerOpen)
		time.Sleep(time.Nanosecond)
		probes := make([]Ticket, 5)
		for i := range probes {
			probes[i] = g.admit(t, false)
		}
		d = g.refused(t, false, WhyBreakerOpen)
		between(t, "return", d.Until, 2500*time.Millisecond, 3500*time.Millisecond)
		for _, p := range probes {
			p.Done(push.CodeSent, 0)
		}
		if got := g.path(); !slices.Equal(got, []BreakerState{BreakerOpen, BreakerHalfOpen, BreakerClosed}) {
			t.Fatalf("went to %v", got)
		}
		s := g.State()
		if s.Breaker != BreakerClosed || !s.Until.IsZero() || s.InFlight != 0 {
			t.Fatalf("closed again: %+v", s)
		}
		if s.Pace != 100 {
			t.Fatalf("pace after the close is %v, want the foot of the ramp", s.Pace)
		}
	})
}

// reopen lets the breaker's time pass and fails its first probe.
func (b *rig) reopen(tb testing.TB, retryAfter time.Duration) (openFor time.Duration) {
	tb.Helper()
	time.Sleep(time.Until(b.State().Until))
	b.answer(tb, 1, push.CodeFCMUnavailable, retryAfter)
	c := b.last(tb)
	if c.To != BreakerOpen {
		tb.Fatalf("a failed probe led to %v", c.To)
	}
	return c.Until.Sub(c.At)
}

func TestBreakerDoublesItsOpenTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, nil)
		for range 2 { // and begins anew once it has closed
			g.answer(t, 20, push.CodeFCMUnavailable, 0)
			if c := g.last(t); c.Until.Sub(c.At) != 10*time.Second {
				t.Fatalf("opens for %v first", c.Until.Sub(c.At))
			}
			for _, want := range []time.Duration{20 * time.Second, 40 * time.Second, 80 * time.Second, 2 * time.Minute, 2 * time.Minute} {
				if got := g.reopen(t, 0); got != want {
					t.Fatalf("opens for %v, want %v", got, want)
				}
			}
			time.Sleep(2 * time.Minute)
			g.answer(t, 5, push.CodeSent, 0)
			if c := g.last(t); c.To != BreakerClosed {
				t.Fatalf("five good probes led to %v", c.To)
			}
		}
	})
}

func TestBreakerHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, g *rig)
		want time.Duration // from the opening
	}{
		{"of the answer that opened it", func(t *testing.T, g *rig) {
			t.Helper()
			g.answer(t, 20, push.CodeFCMUnavailable, 45*time.Second)
		}, 45 * time.Second},
		{"a shorter one changes nothing", func(t *testing.T, g *rig) {
			t.Helper()
			g.answer(t, 20, push.CodeFCMUnavailable, time.Second)
		}, 10 * time.Second},
		{"of an answer that came later", func(t *testing.T, g *rig) {
			t.Helper()
			late := g.admit(t, false)
			g.answer(t, 20, push.CodeFCMUnavailable, 0)
			late.Done(push.CodeFCMUnavailable, 3*time.Minute)
		}, 3 * time.Minute},
		{"a mad one is bounded", func(t *testing.T, g *rig) {
			t.Helper()
			g.answer(t, 20, push.CodeFCMUnavailable, 1<<62)
		}, time.Hour},
		{"of a probe", func(t *testing.T, g *rig) {
			t.Helper()
			g.answer(t, 20, push.CodeFCMUnavailable, 0)
			if got := g.reopen(t, 5*time.Minute); got != 5*time.Minute {
				t.Fatalf("opens for %v", got)
			}
		}, 5 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, nil)
				tc.do(t, g)
				time.Sleep(tc.want - time.Nanosecond)
				g.refused(t, false, WhyBreakerOpen)
				time.Sleep(time.Nanosecond)
				g.admit(t, false).Abandon()
			})
		})
	}
}

// What says nothing about health takes no probe's place for good, and closes
// nothing either.
func TestBreakerHalfOpenNeutral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, nil)
		stale := g.admit(t, false)
		g.answer(t, 20, push.CodeNetTimeout, 0)
		time.Sleep(10 * time.Second)
		for range 50 {
			g.admit(t, false).Abandon()
			g.admit(t, false).Done(push.CodeUnclassified, 0)
			g.admit(t, false).Done(push.CodeFCMQuotaExceeded, 0)
		}
		stale.Done(push.CodeNetTimeout, 0) // from before: not a probe
		if s := g.State(); s.Breaker != BreakerHalfOpen || s.InFlight != 0 {
			t.Fatalf("got %+v", s)
		}
		g.answer(t, 4, push.CodeSent, 0)
		g.answer(t, 1, push.CodeFCMUnregistered, 0) // FCM did its work
		if s := g.State(); s.Breaker != BreakerClosed {
			t.Fatalf("got %+v", s)
		}
	})
}

func TestBreakerWindowSlides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, nil)
		for range 3600 { // a sick answer every second for an hour is never 20 in 10 s
			g.answer(t, 1, push.CodeFCMInternal, 0)
			time.Sleep(time.Second)
		}
		g.answer(t, 100, push.CodeSent, 0)
		g.answer(t, 80, push.CodeFCMInternal, 0) // below a half
		if got := g.path(); len(got) != 0 {
			t.Fatalf("went to %v", got)
		}
		time.Sleep(11 * time.Second)
		if s := g.State(); s.Counts != (Counts{}) {
			t.Fatalf("an empty window holds %+v", s.Counts)
		}
	})
}

// Twenty sick answers within ten seconds open it wherever in time they lie.
func TestBreakerWindowHasNoEdges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, nil)
		time.Sleep(9500 * time.Millisecond)
		g.answer(t, 12, push.CodeFCMInternal, 0)
		time.Sleep(1500 * time.Millisecond)
		g.answer(t, 8, push.CodeFCMInternal, 0)
		if s := g.State(); s.Breaker != BreakerOpen {
			t.Fatalf("got %+v", s)
		}
	})
}

// A request that passed the gate in the instant in which the breaker opened is
// refused by the library, and does not make the breaker half-open.
func TestBreakerRefusesWhoSlippedThroughTheGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, nil)
		g.answer(t, 20, push.CodeFCMInternal, 0)
		time.Sleep(time.Millisecond)
		g.breaker.until.Store(0) // as the request saw it
		g.refused(t, false, WhyBreakerOpen)
		if c := g.last(t); c.To != BreakerOpen {
			t.Fatalf("went to %v", c.To)
		}
	})
}

// The breaker opens for sick codes only, whatever the order and the number of
// answers; every ticket that was handed out and back leaves nothing behind.
func TestBreakerOpensForSickCodesOnly(t *testing.T) {
	t.Parallel()
	type step struct {
		code    push.Code
		n       int
		abandon bool
		wait    time.Duration
	}
	var well []push.Code
	for _, f := range push.Codes() {
		if !f.Sick {
			well = append(well, f.Code)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				code:    rapid.SampledFrom(well).Draw(t, "code"),
				n:       rapid.IntRange(1, 50).Draw(t, "n"),
				abandon: rapid.IntRange(0, 9).Draw(t, "abandon") == 0,
				wait:    time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "wait")),
			}
		}), 1, 40).Draw(rt, "steps")
		var path []BreakerState
		var s State
		synctest.Test(t, func(t *testing.T) {
			g := setup(t, func(c *Config) { c.QuotaShare = 1 })
			for _, st := range steps {
				for range st.n {
					ticket, err := g.Admit(t.Context(), false)
					switch {
					case err != nil: // the pace: 429 slow it
						time.Sleep(time.Second)
					case st.abandon:
						ticket.Abandon()
					default:
						ticket.Done(st.code, 0)
					}
				}
				time.Sleep(st.wait)
			}
			path, s = g.path(), g.State()
		})
		if len(path) != 0 || s.Breaker != BreakerClosed || s.InFlight != 0 || s.Counts.Sick != 0 {
			rt.Fatalf("went to %v: %+v", path, s)
		}
	})
}

// With answers of every kind the books still balance, changes form one chain,
// and no request is made while the breaker says that it is open.
func TestBreakerChain(t *testing.T) {
	t.Parallel()
	codes := push.Codes()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		sickness := rapid.Float64Range(0, 1).Draw(rt, "sickness")
		var fault string
		synctest.Test(t, func(t *testing.T) {
			g := setup(t, func(c *Config) { c.OpenAfter.Requests = 5 })
			r := rand.New(rand.NewPCG(seed, 0))
			var held []Ticket
			for range 400 {
				open := g.State()
				ticket, err := g.Admit(t.Context(), r.IntN(4) == 0)
				if err == nil {
					held = append(held, ticket)
					if open.Breaker == BreakerOpen && time.Now().Before(open.Until) {
						fault = "a request passed an open breaker"
					}
				}
				if got := g.State().InFlight; got != len(held) {
					fault = "in flight does not match the tickets held"
				}
				if len(held) > 0 && r.IntN(3) > 0 {
					i := r.IntN(len(held))
					code := push.CodeSent
					if r.Float64() < sickness {
						code = codes[r.IntN(len(codes))].Code
					}
					held[i].Done(code, time.Duration(r.Int64N(int64(20*time.Second))))
					held = slices.Delete(held, i, i+1)
				}
				time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
			}
			for _, ticket := range held {
				ticket.Abandon()
			}
			if g.State().InFlight != 0 {
				fault = "requests left in flight"
			}
			at := BreakerClosed
			for _, c := range g.changes {
				if c.From != at || c.To == at || (c.To == BreakerOpen) == c.Until.IsZero() || c.Cause.Sick() != (c.To == BreakerOpen) {
					fault = "the changes do not form a chain"
				}
				at = c.To
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}
