package guard

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
		if got := g.State().Traffic[TrafficLive].Throttle; got != 10_000 {
			t.Fatalf("three seconds later it is %v, though nobody used what there was", got)
		}
		time.Sleep(earlyFor)
		if s := g.State().Traffic[TrafficLive]; s.Throttle != 1e6 || s.Throttled {
			t.Fatalf("then it is %+v, want the full pace", s)
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
		if total < 850 || total > 950 || probes[TrafficHigh] < 290 || probes[TrafficLive] < 290 || probes[TrafficRetry] < 290 ||
			probes[TrafficReplay] > 1 {
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
				time.Sleep(closeAfter - time.Nanosecond)
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
