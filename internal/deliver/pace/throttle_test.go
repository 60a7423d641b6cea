package pace_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/deliver/pace"
)

// TestPermits: rows pass at the batch's pace. A row whose time comes after the turn's
// end, or later than Patience, passes not at all, and its permit is not used up.
func TestPermits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		now := func() time.Duration { return time.Since(begun) }
		p := pace.NewPermits(pace.NewLimiter(2), now, 2*time.Second)
		for i := range 5 {
			if _, ok := p.Wait(t.Context()); !ok || now() != time.Duration(i)*time.Second/2 {
				t.Fatalf("row %d: %t after %v", i, ok, now())
			}
			p.Used()
		}
		if again, ok := p.Wait(t.Context()); ok || again != 2500*time.Millisecond || now() != 2*time.Second {
			t.Errorf("past the turn: %t, again at %v, after %v", ok, again, now())
		}
		l := pace.NewLimiter(1)
		slow := pace.NewPermits(l, now, time.Hour)
		slow.Wait(t.Context())
		slow.Used()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok := slow.Wait(ctx); ok {
			t.Error("passed although the context has ended")
		}
		slow.Close()
		if wait := pace.Queueing(l, now()); wait > time.Second {
			t.Errorf("the permit was not given back: the next row waits %v", wait)
		}
	})
}

// TestNoThrottle: without one, everything passes at once.
func TestNoThrottle(t *testing.T) {
	t.Parallel()
	p := pace.NewPermits(pace.NewLimiter(0), nil, 0)
	if _, ok := p.Wait(t.Context()); !ok {
		t.Error("does not pass")
	}
	p.Used()
	p.Close()
}

// TestQueueing: who comes later waits for those who have reserved.
func TestQueueing(t *testing.T) {
	t.Parallel()
	l := pace.NewLimiter(10)
	if wait := pace.Queueing(l, time.Hour); wait != 0 {
		t.Errorf("an idle limiter: %v", wait)
	}
	for range 31 {
		l.ReserveN(time.Unix(0, 0).Add(time.Hour), 1)
	}
	if wait := pace.Queueing(l, time.Hour); wait < 3*time.Second || wait > 3200*time.Millisecond {
		t.Errorf("behind 30 others: %v", wait)
	}
}
