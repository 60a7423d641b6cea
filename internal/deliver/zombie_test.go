package deliver_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
)

// cutOff is a ledger that a process can be cut off from. Its calls hang until they
// are given up.
func cutOff(store ledgertest.Store, cut *atomic.Bool) ledgertest.Around {
	return ledgertest.Around{Store: store, Before: func(ctx context.Context, _ string) error {
		if cut.Load() {
			<-ctx.Done()
		}
		return ctx.Err()
	}}
}

// TestCutOff: an owner that can reach FCM, but not the ledger, stops sending
// before anybody may take its line.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{10 * time.Millisecond, 300 * time.Millisecond} {
		in(t, 400, func(r *rig) { r.cfg.Window = 2 }, func(r *rig) {
			r.fcm.latency = latency
			var cut atomic.Bool
			mine := cutOff(r.store, &cut)
			cfg := r.cfg
			cfg.Notifications, cfg.Lines = mine, mine
			first := r.make(cfg)
			defer first.Close()
			at := time.Now().Add(time.Second)
			after(time.Second, func() { cut.Store(true) })
			look(first.Handle(r.tb.Context(), messageOf(r.encode(r.chunk)), nil))
			if n := r.fcm.since(at.Add(ledger.FreshFor)); n != 0 {
				t.Errorf("%d requests when the line may have been somebody else's", n)
			}
		})
	}
}

// TestZombie: an owner that was stopped, and goes on when somebody else has sent
// its chunk, or is sending it, sends nothing more.
func TestZombie(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		frozen time.Duration // both clocks move on by that
		head   push.State    // of the notification when it goes on
	}{
		{"while another one sends", 33 * time.Second, push.StateAccepted},
		{"after the notification was completed", time.Hour, push.StateCompleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, 400, func(r *rig) { r.cfg.Window = 20 }, func(r *rig) {
				r.fcm.latency = 100 * time.Millisecond
				var moved atomic.Int64 // what the process has slept, as its clocks tell it
				begun := time.Now()
				cfg := r.cfg
				cfg.Now = func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }
				cfg.Elapsed = func() time.Duration { return time.Since(begun) + time.Duration(moved.Load()) }
				first := r.make(cfg)
				defer first.Close()
				var taken atomic.Int64
				after(450*time.Millisecond, func() {
					l, err := r.line().Forsaken().Claim("other", 0, time.Now())
					if err != nil {
						t.Error(err)
					}
					r.ledger.PutLine(l)
					r.setState(c.head)
					moved.Store(int64(c.frozen))
					taken.Store(time.Now().UnixNano())
				})
				if v := look(first.Handle(r.tb.Context(), messageOf(r.encode(r.chunk)), nil)); v.word != "leave" {
					t.Errorf("%+v", v)
				}
				if n := r.fcm.since(time.Unix(0, taken.Load())); n != 0 {
					t.Errorf("%d requests for a chunk that is another owner's", n)
				}
			})
		})
	}
}

// TestFinishedHead: a notification that somebody else has completed is not sent
// any more, even if that can't be told by the line.
func TestFinishedHead(t *testing.T) {
	t.Parallel()
	in(t, 400, func(r *rig) { r.cfg.Window = 5; r.change(func(n *push.Notification) { n.Progress.Pages = 2 }) }, func(r *rig) {
		r.fcm.latency = 50 * time.Millisecond
		at := time.Now().Add(time.Second)
		after(time.Second, func() { r.setState(push.StateCompleted) })
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Errorf("%+v", v)
		}
		if n := r.fcm.since(at.Add(time.Second)); n != 0 {
			t.Errorf("%d requests later than a second after the end", n)
		}
	})
}
