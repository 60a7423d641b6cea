package guard

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/push"
)

func override(state BreakerState, in time.Duration) Override {
	o := Override{State: state, By: "ada", Reason: "incident 42", Since: time.Now()}
	if in > 0 {
		o.Until = time.Now().Add(in)
	}
	return o
}

// patiently makes a request that the throttle may let wait.
func (b *rig) patiently(tb testing.TB, kind Traffic, code push.Code) {
	tb.Helper()
	ticket, err := b.Admit(tb.Context(), Ask{Traffic: kind, To: b.next(), Patience: 10 * time.Second})
	if err != nil {
		tb.Fatalf("admit %s: %v", kind, err)
	}
	ticket.Done(code, 0)
}

// While an operator holds a breaker open nothing passes, nothing probes, and what was under way does not close it; nobody is
// put off for so long that he would miss the end. When its time is up it probes, and closes as after any outage.
func TestForcedOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		time.Sleep(time.Minute)
		var under [kinds]Ticket
		for _, kind := range Traffics() {
			under[kind] = g.admit(t, kind)
		}
		o := override(BreakerOpen, time.Hour)
		g.Force(o)
		want := Change{
			Credential: "project-a", From: BreakerClosed, To: BreakerOpen, At: time.Now(), Until: o.Until, By: "ada", Reason: "incident 42",
		}
		if got := g.last(t); got != want || len(g.path()) != 1 {
			t.Errorf("told %+v (of %v), want %+v", got, g.path(), want)
		}
		if s := g.State(); s.Breaker != BreakerOpen || s.Override != o || !s.Until.Equal(o.Until) || s.Cause != push.CodeOpen {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Millisecond) // the library's own open time is over
		for _, ticket := range under {
			ticket.Done(push.CodeSent, 0)
		}
		if len(g.path()) != 1 {
			t.Errorf("what was under way moved it: %v", g.path())
		}
		for range 59 {
			for _, kind := range Traffics() {
				between(t, kind.String(), g.refused(t, kind, WhyBreakerOpen).Until, time.Second, 90*time.Second)
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Minute - time.Millisecond - time.Nanosecond)
		g.refused(t, TrafficHigh, WhyBreakerOpen)
		time.Sleep(time.Nanosecond)
		for range rounds {
			for range 16 {
				g.patiently(t, TrafficHigh, push.CodeSent)
			}
		}
		if got := g.breakers(); got != [kinds]BreakerState{} || g.State().Override != (Override{}) {
			t.Errorf("it is %v, %+v", got, g.State().Override)
		}
		if at := g.last(t); at.By != "" || at.To != BreakerClosed {
			t.Errorf("%+v", at)
		}
	})
}

// A breaker that is forced open stays so when FCM turns out to be sick at the end of its time.
func TestForcedOpenIntoAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		g.Force(override(BreakerOpen, time.Minute))
		time.Sleep(time.Minute)
		g.answer(t, 1, push.CodeFCMUnavailable, 0)
		g.refused(t, TrafficLive, WhyBreakerOpen)
		s := g.State()
		if s.Breaker != BreakerOpen || s.Cause != push.CodeFCMUnavailable || s.Override != (Override{}) || !s.Until.After(time.Now()) {
			t.Errorf("%+v", s)
		}
	})
}

// While an operator holds a breaker closed no failure opens it; when its time is up, the next does.
func TestForcedClosed(t *testing.T) {
	t.Parallel()
	for _, was := range []BreakerState{BreakerClosed, BreakerOpen} {
		t.Run(was.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, unthrottled)
				if was == BreakerOpen {
					g.answer(t, 20, push.CodeFCMUnavailable, time.Hour)
					// nobody is put off for so long that he would not notice that it is closed
					between(t, "return", g.refused(t, TrafficLive, WhyBreakerOpen).Until, time.Minute, 76*time.Second)
				}
				o := override(BreakerClosed, time.Hour)
				g.Force(o)
				if got := g.last(t); got.From != was || got.To != BreakerClosed || got.By != "ada" || !got.Until.Equal(o.Until) {
					t.Errorf("told %+v", got)
				}
				for range 100 {
					time.Sleep(10 * time.Second)
					g.patiently(t, TrafficLive, push.CodeFCMUnavailable)
				}
				if s := g.State(); s.Breaker != BreakerClosed || s.Override != o {
					t.Errorf("%+v", s)
				}
				time.Sleep(time.Hour)
				for range 3 {
					g.patiently(t, TrafficLive, push.CodeFCMUnavailable)
				}
				time.Sleep(10 * time.Second)
				g.patiently(t, TrafficLive, push.CodeFCMUnavailable)
				if s := g.State(); s.Breaker != BreakerOpen || s.Override != (Override{}) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A reset ends an override and forgets what spoke against FCM; whoever waits goes at once.
func TestReset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		g.Force(override(BreakerOpen, 0))
		if s := g.State(); !s.Until.IsZero() || s.Breaker != BreakerOpen {
			t.Errorf("%+v", s)
		}
		gone := make(chan time.Time)
		go func() {
			if ticket, err := g.Admit(t.Context(), Ask{Traffic: TrafficLive, To: g.next(), Patience: time.Hour}); err == nil {
				ticket.Done(push.CodeSent, 0)
			}
			gone <- time.Now()
		}()
		time.Sleep(30*time.Minute + time.Second)
		reset := time.Now()
		g.Reset("bob", "FCM is back")
		if at := <-gone; !at.Equal(reset) {
			t.Errorf("went %v after the reset", at.Sub(reset))
		}
		want := Change{Credential: "project-a", From: BreakerOpen, To: BreakerClosed, At: reset, By: "bob", Reason: "FCM is back"}
		if got := g.last(t); got != want {
			t.Errorf("told %+v, want %+v", got, want)
		}

		time.Sleep(time.Minute)
		fail := func(to int) { g.admitTo(t, TrafficLive, recipient(to)).Done(push.CodeFCMUnavailable, 0) }
		for range 2 { // the twentieth would open it; the second time nobody is suspected of failing by himself
			g.Reset("bob", "")
			for to := range 19 {
				fail(to)
			}
		}
		if s := g.State(); s.Breaker != BreakerClosed || s.Override != (Override{}) {
			t.Errorf("%+v", s)
		}
		fail(19)
		g.refused(t, TrafficLive, WhyBreakerOpen)
	})
}

// An override replaces what stood before; one whose time is up already, and its end from elsewhere, let go.
func TestOverridesReplace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := setup(t, unthrottled)
		g.Force(override(BreakerOpen, time.Minute))
		longer := override(BreakerOpen, time.Hour)
		g.Force(longer)
		time.Sleep(30 * time.Minute)
		g.refused(t, TrafficLive, WhyBreakerOpen)
		if s := g.State(); s.Override != longer {
			t.Errorf("%+v", s)
		}
		g.LetGo()
		g.answer(t, 1, push.CodeSent, 0) // it probes
		if s := g.State(); s.Override != (Override{}) || s.Breaker != BreakerHalfOpen {
			t.Errorf("%+v", s)
		}
		g.Force(override(BreakerClosed, 0))
		over := override(BreakerOpen, time.Second)
		time.Sleep(time.Second)
		g.Force(over)
		if s := g.State(); s.Override != (Override{}) || s.Breaker != BreakerClosed {
			t.Errorf("%+v", s)
		}
		if diff := cmp.Diff([]BreakerState{BreakerOpen, BreakerOpen, BreakerHalfOpen, BreakerClosed}, g.path()); diff != "" {
			t.Error(diff)
		}
	})
}

// The log tells what an operator did, and its end, once each, and the metrics have it from the start.
func TestOverrideIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		reg := prometheus.NewRegistry()
		m, err := NewMetrics(reg)
		if err != nil {
			t.Fatal(err)
		}
		g, err := New(DefaultConfig("p"), nil, rand.New(rand.NewPCG(1, 2)), zap.New(core), m, nil)
		if err != nil {
			t.Fatal(err)
		}
		forced := func(open, closed float64) {
			t.Helper()
			got := gather(t, reg)
			for state, want := range map[string]float64{"open": open, "closed": closed} {
				if is, ok := got["belfry_breaker_forced p "+state]; !ok || is != want {
					t.Errorf("%s is %v (there: %t), want %v", state, is, ok, want)
				}
			}
		}
		forced(0, 0)
		g.Force(override(BreakerOpen, 0))
		forced(1, 0)
		g.Force(override(BreakerClosed, time.Minute))
		forced(0, 1)
		time.Sleep(time.Minute)
		forced(0, 0)
		g.Reset("bob", "")
		var said []string
		for _, e := range logs.All() {
			said = append(said, e.Message+" "+e.ContextMap()["by"].(string)+" "+e.ContextMap()["state"].(string)) //nolint:forcetypeassert // a test
		}
		want := []string{
			"breaker forced ada open", "breaker forced ada closed", "breaker no longer forced ada closed", "breaker reset bob closed",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Error(diff)
		}
	})
}
