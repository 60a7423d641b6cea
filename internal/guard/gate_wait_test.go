package guard

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/push"
)

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
		if waited != maxHighWaiters {
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
