package guard

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

// breakers returns the state of every kind's breaker.
func (b *rig) breakers() (s [kinds]BreakerState) {
	for t, x := range b.State().Traffic {
		s[t] = x.Breaker
	}
	return s
}

// unthrottled lets tests make many requests in one instant.
func unthrottled(c *Config) {
	c.Accepts = [kinds]float64{10, 10, 10, 10}
	c.PerSecond, c.Burst = 1e6, time.Second
}

func TestBreakerLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		time.Sleep(time.Minute)
		g.answer(t, 19, push.CodeFCMUnavailable, 0)
		if s := g.State(); s.Breaker != BreakerClosed || s.Sick < 0.2 {
			t.Fatalf("after 19 sick answers: %+v", s)
		}
		g.answer(t, 1, push.CodeFCMInternal, 0)
		want := Change{
			Credential: "project-a", From: BreakerClosed, To: BreakerOpen,
			At: time.Now(), Until: time.Now().Add(time.Second), Cause: push.CodeFCMInternal,
		}
		if opened := g.last(t); opened != want {
			t.Fatalf("told %+v, want %+v", opened, want)
		}
		if s := g.State(); s.Breaker != BreakerOpen || !s.Until.Equal(want.Until) || s.Cause != push.CodeFCMInternal || !s.Since.Equal(want.At) {
			t.Fatalf("open: %+v", s)
		}
		between(t, "return", g.refused(t, TrafficLive, WhyBreakerOpen).Until, time.Second, 2*time.Second)

		time.Sleep(time.Second - time.Nanosecond)
		g.refused(t, TrafficLive, WhyBreakerOpen)
		time.Sleep(time.Nanosecond)
		for i, size := range rounds {
			var probes []Ticket
			for range size {
				probes = append(probes, g.admit(t, TrafficLive))
			}
			g.refused(t, TrafficLive, WhyBreakerOpen) // the round is full
			if want := []BreakerState{BreakerOpen, BreakerHalfOpen, BreakerHalfOpen}[i]; g.State().Breaker != want {
				t.Fatalf("in round %d it is %v", i, g.State().Breaker)
			}
			for _, p := range probes {
				p.Done(push.CodeSent, 0)
			}
		}
		if got := g.path(); !slices.Equal(got, []BreakerState{BreakerOpen, BreakerHalfOpen, BreakerClosed}) {
			t.Fatalf("went to %v", got)
		}
		s := g.State()
		if s.Breaker != BreakerClosed || !s.Until.IsZero() || s.InFlight != 0 || s.Sick != 0 {
			t.Fatalf("closed again: %+v", s)
		}
		if got := s.Traffic[TrafficLive].Throttle; got != 10_000 {
			t.Fatalf("the rate after it is %v, want the floor", got)
		}
		time.Sleep(3 * time.Second)
		if got := g.State().Traffic[TrafficLive].Throttle; got < 640_000-1 || got > 640_000+1 {
			t.Fatalf("three seconds later it is %v, want 64 times as much", got)
		}
	})
}

// A round is judged by its share: one answer of two in the second, one of eight in
// the third, are enough.
func TestBreakerJudgesRounds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		answers string // h, s: of the probes in their order
		want    BreakerState
	}{
		{"all good", "h" + "hh" + "hhhhhhhh", BreakerClosed},
		{"the first is not", "s", BreakerOpen},
		{"one of two", "h" + "sh", BreakerHalfOpen},
		{"none of two", "h" + "ss", BreakerOpen},
		{"one of eight", "h" + "sh" + "sssssssh", BreakerClosed},
		{"none of eight", "h" + "hh" + "ssssssss", BreakerOpen},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, unthrottled)
				g.answer(t, 20, push.CodeNetTimeout, 0)
				time.Sleep(time.Second)
				for _, a := range tc.answers {
					code := push.CodeFCMUnregistered // FCM did its work
					if a == 's' {
						code = push.CodeFCMInternal
					}
					g.answer(t, 1, code, 0)
				}
				if s := g.State(); s.Breaker != tc.want || s.InFlight != 0 {
					t.Fatalf("got %+v", s)
				}
			})
		})
	}
}

// The probes of an outage: one a second, later one in four; who asks first of the
// best traffic that asks at all gets it.
func TestBreakerProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, 0)
		start, probes := time.Now(), map[Traffic]int{}
		for time.Since(start) < time.Hour {
			time.Sleep(100 * time.Millisecond)
			for _, traffic := range []Traffic{TrafficReplay, TrafficRetry, TrafficLive, TrafficHigh} {
				if traffic == TrafficHigh && time.Since(start) > 20*time.Minute || traffic == TrafficLive && time.Since(start) > 40*time.Minute {
					continue // there is none
				}
				if ticket, err := g.Admit(t.Context(), Ask{Traffic: traffic, To: g.next()}); err == nil {
					probes[traffic]++
					ticket.Done(push.CodeFCMUnavailable, 0)
				}
			}
		}
		total := 0
		for _, n := range probes {
			total += n
		}
		t.Logf("%v", probes)
		if total < 850 || total > 950 || probes[TrafficHigh] < 290 || probes[TrafficLive] < 290 || probes[TrafficRetry] < 290 || probes[TrafficReplay] > 1 {
			t.Errorf("probes: %v", probes)
		}
		if got := g.path(); !slices.Equal(got, []BreakerState{BreakerOpen}) {
			t.Errorf("told %v: a failed probe is no news", got)
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
			g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, 45*time.Second)
		}, 45 * time.Second},
		{"a shorter one changes nothing", func(t *testing.T, g *rig) {
			t.Helper()
			g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, time.Millisecond)
		}, time.Second},
		{"of an answer that came later", func(t *testing.T, g *rig) {
			t.Helper()
			late := g.admit(t, TrafficHigh)
			g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, 0)
			late.Done(push.CodeFCMUnavailable, 3*time.Minute)
		}, 3 * time.Minute},
		{"a mad one is bounded", func(t *testing.T, g *rig) {
			t.Helper()
			g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, 1<<62)
		}, time.Hour},
		{"of a probe", func(t *testing.T, g *rig) {
			t.Helper()
			g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, 0)
			time.Sleep(time.Second)
			g.answerAs(t, TrafficHigh, 1, push.CodeFCMUnavailable, 5*time.Minute)
		}, 5 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, unthrottled)
				tc.do(t, g)
				time.Sleep(tc.want - time.Nanosecond)
				g.refused(t, TrafficHigh, WhyBreakerOpen)
				time.Sleep(time.Nanosecond)
				g.admit(t, TrafficHigh).Abandon()
			})
		})
	}
}

// What fails speaks against its own kind of traffic and what is worse, never
// against what is better, be it with 500 or with a Retry-After.
func TestBreakerHoldsDownwards(t *testing.T) {
	t.Parallel()
	for _, from := range Traffics() {
		t.Run(from.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, unthrottled)
				g.answerAs(t, from, 20, push.CodeFCMUnavailable, time.Hour)
				for of, state := range g.breakers() {
					if (state == BreakerOpen) != (Traffic(of) >= from) {
						t.Errorf("%s is %v", Traffic(of), state)
					}
				}
				for _, of := range Traffics() {
					if of < from {
						g.answerAs(t, of, 10, push.CodeSent, 0)
					}
				}
				if from > TrafficHigh && g.breakers() != [kinds]BreakerState{} {
					t.Errorf("others get through, and yet: %v", g.breakers())
				}
			})
		})
	}
}

// A recipient that fails again and again counts once, whatever its messages are;
// and once it was reached, it is as good as any.
func TestBreakerCountsRecipientsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		for range 1000 {
			for i := range 2 {
				g.admitTo(t, TrafficHigh, recipient(i)).Done(push.CodeFCMInternal, 0)
			}
			time.Sleep(time.Second)
		}
		if got := g.path(); len(got) != 0 {
			t.Fatalf("two recipients: went to %v", got)
		}
		for i := range 30 { // each was sick before, and is well again
			g.admitTo(t, TrafficRetry, recipient(i)).Done(push.CodeFCMInternal, 0)
			g.admitTo(t, TrafficRetry, recipient(i)).Done(push.CodeSent, 0)
		}
		time.Sleep(time.Minute)
		for i := range 20 {
			g.admitTo(t, TrafficHigh, recipient(i)).Done(push.CodeFCMInternal, 0)
		}
		if got := g.path(); !slices.Equal(got, []BreakerState{BreakerOpen}) {
			t.Fatalf("twenty recipients: went to %v", got)
		}
		time.Sleep(time.Minute)
		d := g.admit(t, TrafficHigh)
		d.Done(push.CodeSent, 0)
		for _, to := range []push.Address{recipient(3), recipient(19)} { // a probe is not wasted on a suspect
			if ticket := g.admitTo(t, TrafficHigh, to); ticket.traffic != TrafficRetry {
				t.Errorf("%s was let through as %s", to, ticket.traffic)
			}
		}
	})
}

// With little traffic it takes time instead of numbers: three recipients and ten
// seconds; or two seconds without a way to FCM, were it a single message.
func TestBreakerOpensByTime(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		recipients int
		code       push.Code
		every      time.Duration
		want       time.Duration // from the first; 0: never
	}{
		{"three recipients", 3, push.CodeFCMUnavailable, 2 * time.Second, 10 * time.Second},
		{"two recipients", 2, push.CodeFCMUnavailable, 2 * time.Second, 0},
		{"one, refused", 1, push.CodeNetRefused, time.Second, 2 * time.Second},
		{"one, no access token", 1, push.CodeCredential, 500 * time.Millisecond, 2 * time.Second},
		{"one, forbidden", 1, push.CodeFCMForbidden, time.Minute, 2 * time.Minute},
		{"one, every five minutes", 1, push.CodeNetDNS, 5 * time.Minute, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, nil)
				g.answer(t, 5, push.CodeSent, 0)
				time.Sleep(10 * time.Minute)
				start := time.Now()
				for i := range 30 {
					g.admitTo(t, TrafficHigh, recipient(1000+i%tc.recipients)).Done(tc.code, 0)
					if len(g.path()) > 0 {
						break
					}
					time.Sleep(tc.every)
				}
				switch {
				case tc.want == 0 && len(g.path()) > 0:
					t.Errorf("went to %v", g.path())
				case tc.want > 0 && g.last(t).At.Sub(start) != tc.want:
					t.Errorf("opened after %v, want %v", g.last(t).At.Sub(start), tc.want)
				case tc.want > 0 && g.breakers() != [kinds]BreakerState{BreakerOpen, BreakerOpen, BreakerOpen, BreakerOpen} && tc.code.Unreached():
					t.Errorf("not for all: %v", g.breakers())
				}
			})
		})
	}
}

// What says nothing about health takes no probe's place for good, and closes
// nothing either.
func TestBreakerHalfOpenNeutral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		stale := g.admit(t, TrafficLive)
		g.answer(t, 20, push.CodeNetTimeout, 0)
		time.Sleep(time.Second)
		for range 50 {
			g.admit(t, TrafficLive).Abandon()
			g.admit(t, TrafficLive).Done(push.CodeUnclassified, 0)
			g.admit(t, TrafficLive).Done(push.CodeFCMQuotaExceeded, 0)
		}
		stale.Done(push.CodeNetTimeout, 0) // from before: not a probe
		if s := g.State(); s.Breaker != BreakerOpen || s.InFlight != 0 {
			t.Fatalf("got %+v", s)
		}
		g.answer(t, 1, push.CodeSent, 0)
		late := g.admit(t, TrafficLive)
		g.answer(t, 2, push.CodeSent, 0) // judges the round without it
		late.Done(push.CodeFCMInternal, 0)
		g.answer(t, 8, push.CodeSent, 0)
		if s := g.State(); s.Breaker != BreakerClosed || s.InFlight != 0 {
			t.Fatalf("got %+v", s)
		}
	})
}

// With hardly any traffic a half-open breaker closes by time, if nothing fails.
func TestBreakerClosesByTime(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, g *rig)
		want BreakerState
	}{
		{"nothing more", func(*testing.T, *rig) {}, BreakerClosed},
		{"one under way", func(t *testing.T, g *rig) {
			t.Helper()
			g.admit(t, TrafficLive)
		}, BreakerClosed},
		{"one failed", func(t *testing.T, g *rig) {
			t.Helper()
			g.answer(t, 1, push.CodeFCMInternal, 0)
		}, BreakerHalfOpen},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, unthrottled)
				g.answer(t, 20, push.CodeNetTimeout, 0)
				time.Sleep(time.Second)
				g.answer(t, 1, push.CodeSent, 0)
				tc.do(t, g)
				time.Sleep(mature - time.Nanosecond)
				if got := g.State().Breaker; got != BreakerHalfOpen {
					t.Errorf("too early it is %v", got)
				}
				time.Sleep(time.Nanosecond)
				if got := g.State().Breaker; got != tc.want || (g.last(t).To == BreakerClosed) != (tc.want == BreakerClosed) {
					t.Errorf("it is %v, told %v", got, g.path())
				}
			})
		})
	}
}

// Who has patience goes in the moment that it may, and not before.
func TestAdmitWaitsForTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, 0)
		time.Sleep(time.Second)
		probe := g.admit(t, TrafficHigh)
		gone := make(chan time.Time, 3)
		for range 3 {
			go func() {
				ticket, err := g.Admit(t.Context(), Ask{Traffic: TrafficHigh, To: g.next(), Patience: time.Second})
				if err != nil {
					t.Error(err)
				}
				gone <- time.Now()
				ticket.Done(push.CodeSent, 0)
			}()
		}
		awaited := make(chan error, 1)
		go func() { awaited <- g.Await(t.Context(), Ask{Traffic: TrafficLive, Patience: time.Minute}) }()
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := g.Admit(t.Context(), Ask{Traffic: TrafficLive, To: g.next(), Patience: time.Minute, Stop: stop})
			stopped <- err
		}()
		time.Sleep(40 * time.Millisecond)
		close(stop)
		if err := <-stopped; err != ErrStopped { //nolint:errorlint // Admit promises this very error
			t.Errorf("stopped: %v", err)
		}
		probe.Done(push.CodeSent, 0)
		answered := time.Now()
		for range 3 {
			if at := <-gone; !at.Equal(answered) {
				t.Errorf("went %v after the probe's answer", at.Sub(answered))
			}
		}
		if err := <-awaited; err != nil {
			t.Errorf("awaited: %v", err)
		}
		if g.breakers() != [kinds]BreakerState{BreakerHalfOpen} && g.breakers() != [kinds]BreakerState{} {
			t.Errorf("%v", g.breakers())
		}
	})
}

// More high pushes than a lane has room for don't wait in it.
func TestAdmitLetsFewHighPushesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		g.answerAs(t, TrafficHigh, 20, push.CodeFCMUnavailable, time.Hour)
		at := make(chan time.Duration, 200)
		start := time.Now()
		for range 200 {
			go func() {
				_, err := g.Admit(t.Context(), Ask{Traffic: TrafficHigh, To: g.next(), Patience: time.Second})
				if err == nil {
					t.Error("admitted")
				}
				at <- time.Since(start)
			}()
		}
		waited := 0
		for range 200 {
			if <-at > 0 {
				waited++
			}
		}
		if waited != highWaiters {
			t.Errorf("%d waited", waited)
		}
	})
}

// An outage is told once, however long it lasts and however many kinds of traffic
// it holds.
func TestOutageIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		cfg := DefaultConfig("p")
		cfg.Ramp = 0
		inner, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.New(core), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		g := &rig{Guard: inner}
		for hour := time.Now(); time.Since(hour) < time.Hour; time.Sleep(300 * time.Millisecond) {
			for _, traffic := range Traffics() {
				if ticket, err := g.Admit(t.Context(), Ask{Traffic: traffic, To: recipient(int(traffic))}); err == nil {
					ticket.Done(push.CodeNetDNS, 0)
				}
			}
		}
		opened := logs.FilterMessage("breaker opened")
		if logs.Len() != opened.Len() || opened.Len() != 2 {
			t.Errorf("%d lines, %d of them tell that it opened; want two: high and live", logs.Len(), opened.Len())
		}
		time.Sleep(time.Minute)
		for range 30 {
			g.answerAs(t, TrafficHigh, 1, push.CodeSent, 0)
			time.Sleep(100 * time.Millisecond)
		}
		if closed := logs.FilterMessage("breaker closed"); closed.Len() != 2 {
			t.Errorf("%d lines tell that it closed", closed.Len())
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
		traffic Traffic
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
				traffic: rapid.SampledFrom(Traffics()).Draw(t, "traffic"),
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
					ticket, err := g.Admit(t.Context(), Ask{Traffic: st.traffic, To: g.next()})
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
		if len(path) != 0 || s.Breaker != BreakerClosed || s.InFlight != 0 || s.Sick != 0 {
			rt.Fatalf("went to %v: %+v", path, s)
		}
	})
}

// With answers of every kind the books still balance, changes form one chain,
// no request is made before its time, and an outage that ends is over soon.
func TestBreakerChain(t *testing.T) {
	t.Parallel()
	codes := push.Codes()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		sickness := rapid.Float64Range(0, 1).Draw(rt, "sickness")
		var fault string
		synctest.Test(t, func(t *testing.T) {
			g := setup(t, func(c *Config) { c.OpenAfter.Many = 5 })
			r := rand.New(rand.NewPCG(seed, 0))
			var held []Ticket
			for range 400 {
				before := g.State()
				ticket, err := g.Admit(t.Context(), Ask{Traffic: Traffic(r.IntN(kinds)), To: recipient(r.IntN(300))})
				if err == nil {
					held = append(held, ticket)
					if ticket.traffic == TrafficLive && before.Breaker == BreakerOpen && time.Now().Before(before.Until) {
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
			time.Sleep(time.Hour) // longer than any Retry-After
			for range 200 {
				if ticket, err := g.Admit(t.Context(), Ask{Traffic: TrafficLive, To: g.next()}); err == nil {
					ticket.Done(push.CodeSent, 0)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if g.breakers() != [kinds]BreakerState{} || g.State().Traffic[TrafficReplay].Throttle != 10_000 {
				fault = "it did not recover"
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}
