package deliver_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/push"
)

// switchboard has a channel once there is a credential.
type switchboard struct {
	channel deliver.Channel
	ready   func() bool
	err     error
	asked   []string
}

// Channel implements [deliver.Channels].
func (s *switchboard) Channel(_ context.Context, tenant, app string) (deliver.Channel, error) {
	s.asked = append(s.asked, tenant+"/"+app)
	switch {
	case s.err != nil:
		return deliver.Channel{}, s.err
	case !s.ready():
		return deliver.Channel{}, &deliver.NoCredentialError{Why: "none", Again: 30 * time.Second}
	}
	return s.channel, nil
}

func readyAfter(d time.Duration) func() bool {
	begun := time.Now()
	return func() bool { return time.Since(begun) >= d }
}

// TestNoCredential: what has no credential waits, is seen to wait, and is sent or expires.
func TestNoCredential(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		wait time.Duration
		want push.Code
	}{
		{"set after a minute", time.Minute, push.CodeSent},
		{"set after hours", 5 * time.Hour, push.CodeSent},
		{"never set", 1000 * time.Hour, push.CodeExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var board *switchboard
			in(t, 3, func(r *rig) {
				r.turns = 10_000
				board = &switchboard{deliver.Channel{Sender: r.cfg.Sender, Guard: r.cfg.Guard}, readyAfter(c.wait), nil, nil}
				r.cfg.Channels = board
			}, func(r *rig) {
				r.change(func(n *push.Notification) { n.App = "shop" })
				begun, written := time.Now(), r.line().UpdatedAt
				var most time.Duration
				board.ready = func(ready func() bool) func() bool {
					return func() bool {
						if now := r.line().UpdatedAt; now.After(written) {
							most, written = max(most, now.Sub(written)), now
						}
						return ready()
					}
				}(board.ready)
				r.finish()
				if got := r.codes()[c.want]; got != 3 || len(r.out.completed) != 1 {
					t.Errorf("%v, %d times completed", r.codes(), len(r.out.completed))
				}
				took := time.Since(begun)
				if c.want == push.CodeSent && took > c.wait+time.Minute || took > push.DefaultTTL+time.Minute {
					t.Errorf("it took %v", took)
				}
				if most > 10*time.Minute {
					t.Errorf("the line was not written for %v: the janitor takes it for lost", most)
				}
				if c.want == push.CodeExpired && r.fcm.total != 0 || len(r.dead.msgs) > 0 {
					t.Errorf("%d requests, %d letters", r.fcm.total, len(r.dead.msgs))
				}
				if board.asked[0] != "acme/shop" {
					t.Errorf("asked for the channel of %s", board.asked[0])
				}
			})
		})
	}
}

// TestHeldByOthers: while a credential's breaker is open, its chunks do not take the places
// of others.
func TestHeldByOthers(t *testing.T) {
	t.Parallel()
	held := &atomic.Int64{}
	in(t, 3, func(r *rig) {
		r.cfg.Channels = &switchboard{deliver.Channel{Sender: r.cfg.Sender, Guard: opened(t), Held: held, Hold: 1}, readyAfter(0), nil, nil}
	}, func(r *rig) {
		held.Add(1) // another chunk waits already
		begun := time.Now()
		if v := r.deliver(r.chunk); v.word != "retry" || time.Since(begun) != 0 {
			t.Errorf("%+v after %v", v, time.Since(begun))
		}
		held.Add(-1)
		if v := r.deliver(r.chunk); v.word != "retry" || time.Since(begun) != 10*time.Second || held.Load() != 0 {
			t.Errorf("%+v after %v", v, time.Since(begun))
		}
	})
}

// TestCredentialStoreAway: a store that is away is waited for, unclaimed.
func TestCredentialStoreAway(t *testing.T) {
	t.Parallel()
	in(t, 3, func(r *rig) { r.cfg.Channels = &switchboard{err: errAway} }, func(r *rig) {
		if v := r.deliver(r.chunk); v.word != "retry" || r.line().Epoch != 0 {
			t.Errorf("%+v, epoch %d", v, r.line().Epoch)
		}
	})
}
