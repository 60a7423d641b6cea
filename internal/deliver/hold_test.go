package deliver_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// TestHealthyPushesPassFailingOnes: whatever else fails on whichever lane, 95 of
// 100 single pushes to others are with FCM within two seconds.
func TestHealthyPushesPassFailingOnes(t *testing.T) {
	t.Parallel()
	again := func(c *push.Chunk) { c.Attempt, c.LastCode = 2, push.CodeFCMInternal }
	for _, tc := range []struct {
		name string
		put  func(s *dispatcher)
	}{
		{"300 in a batch", func(s *dispatcher) { s.put(push.LaneBulk, 300, "sick", nil) }},
		{"2,000 in a batch", func(s *dispatcher) {
			for range 5 {
				s.put(push.LaneBulk, 400, "sick", nil)
			}
		}},
		{"2,000 retries", func(s *dispatcher) {
			for range 5 {
				s.put(push.LaneBulk, 400, "sick", again)
			}
		}},
		{"300 retries on the high lane", func(s *dispatcher) {
			for range 300 {
				s.put(push.LaneHigh, 1, "sick", again)
			}
		}},
		{"250 retries on the high lane that hang", func(s *dispatcher) {
			for range 250 {
				s.put(push.LaneHigh, 1, "hangs", again)
			}
		}},
		{"1,000 in one message on the high lane", func(s *dispatcher) {
			s.put(push.LaneHigh, 500, "sick", nil)
			s.put(push.LaneHigh, 500, "sick", nil)
		}},
		{"200 replayed letters", func(s *dispatcher) {
			for range 200 {
				s.put(push.LaneReplay, 1, "sick", func(c *push.Chunk) { c.Replay, c.Series = "rpl_01890a5d-ac96-774b-bcce-b302099a8059", 1 })
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in(t, 1, func(r *rig) { r.cfg.MaxAttempts, r.cfg.Retries = 8, 100 }, func(r *rig) {
				r.change(func(n *push.Notification) { n.Progress.Pages = 2 }) // it does not complete
				r.fcm.latency = 50 * time.Millisecond
				r.fcm.outage = func(value string) push.Code {
					if strings.HasPrefix(value, "well") {
						return push.CodeOpen
					}
					return push.CodeFCMInternal
				}
				r.fcm.hangs = 15 * time.Second
				start := time.Now()
				end := start.Add(2 * time.Minute)
				s := r.dispatcher(production(t), map[push.Lane]int{push.LaneHigh: 200, push.LaneBulk: 20, push.LaneReplay: 4}, end)
				tc.put(s)
				s.pushes(time.Second, end.Add(-5*time.Second))
				s.places.Wait()
				for _, l := range s.lanes {
					l.Close()
				}
				lags := s.lags()
				p95 := lags[len(lags)*95/100]
				t.Logf("%d pushes: p50 %v, p95 %v, max %v; %d requests in all", len(lags), lags[len(lags)/2], p95, lags[len(lags)-1], r.fcm.total)
				if p95 > 2*time.Second {
					t.Errorf("p95 is %v", p95)
				}
				if r.fcm.total < 2*len(lags) {
					t.Errorf("%d requests: those that fail were not tried", r.fcm.total)
				}
			})
		})
	}
}

// TestOutageIsWaitedOut: an outage of three minutes, of whichever kind, costs
// little, and all is sent soon after it; of three pushes and of a batch.
func TestOutageIsWaitedOut(t *testing.T) {
	t.Parallel()
	for _, code := range []push.Code{push.CodeNetRefused, push.CodeCredential, push.CodeFCMUnauthorized, push.CodeFCMUnavailable} {
		for _, n := range []int{3, 2000} {
			t.Run(code.String(), func(t *testing.T) {
				t.Parallel()
				in(t, 1, func(r *rig) { r.cfg.MaxAttempts = 8 }, func(r *rig) {
					r.change(func(n *push.Notification) { n.Progress.Pages, n.TTL = 2, 24*time.Hour })
					r.fcm.latency = 50 * time.Millisecond
					start := time.Now()
					up, end := start.Add(3*time.Minute), start.Add(6*time.Minute)
					if code == push.CodeFCMUnavailable {
						end = up.Add(15 * time.Minute) // attempts were used up: their waits are long
					}
					r.fcm.outage = func(string) push.Code {
						if time.Now().Before(up) {
							return code
						}
						return push.CodeOpen
					}
					g := production(t)
					s := r.dispatcher(g, map[push.Lane]int{push.LaneHigh: 20, push.LaneBulk: 20}, end)
					var names []string
					for len(names) < n {
						if n <= 3 {
							names = append(names, s.put(push.LaneHigh, 1, "one", nil)...)
						} else {
							names = append(names, s.put(push.LaneBulk, 400, "many", nil)...)
						}
					}
					s.places.Wait()
					for _, l := range s.lanes {
						l.Close()
					}
					var last time.Duration
					for _, name := range names {
						if r.fcm.accepted[name] != 1 {
							t.Fatalf("%s was accepted %d times", name, r.fcm.accepted[name])
						}
						last = max(last, r.fcm.at[name][len(r.fcm.at[name])-1].Sub(up))
					}
					during := r.fcm.total - n
					t.Logf("%d of %s: the last %v after the outage; %d requests in it, breaker %s", n, code, last, during, g.State().Breaker)
					most := map[push.Code]time.Duration{push.CodeFCMUnauthorized: 2 * time.Minute, push.CodeFCMUnavailable: 10 * time.Minute}[code]
					if last > max(most, 25*time.Second) {
						t.Errorf("the last %v after the outage", last)
					}
					if during > 180+n/2 {
						t.Errorf("%d requests in the outage", during)
					}
					if len(r.dead.msgs) > 0 {
						t.Errorf("%d letters", len(r.dead.msgs))
					}
				})
			})
		}
	}
}

// TestRetriesDontHoldUpFirsts: rows that failed before wait for the budget, those
// beside them in the chunk don't.
func TestRetriesDontHoldUpFirsts(t *testing.T) {
	t.Parallel()
	in(t, 100, func(r *rig) {
		r.cfg.Guard = newGuard(t, func(c *guard.Config) { c.BudgetBurst, c.BudgetMin, c.BudgetRatio = 5, 0, 0 })
		r.cfg.Window = 10
	}, func(r *rig) {
		r.fcm.latency = 10 * time.Millisecond
		r.chunk.Attempts, r.chunk.Attempt = make([]int, 100), 2
		for i := range r.chunk.Attempts {
			r.chunk.Attempts[i] = 1 + (i/10)%2 // ten of each in turn
			if i/10%2 == 1 {
				r.fcm.script[name(i)] = slices.Repeat([]answer{{code: push.CodeFCMInternal}}, 2)
			}
		}
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 50, push.CodeOpen: 50}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r.fcm.total != 55 {
			t.Errorf("%d requests, want 50 first attempts and the 5 retries of the budget", r.fcm.total)
		}
		next := r.queue.chunks()[0]
		if got := slices.Max(next.Attempts); got != 3 || slices.Min(next.Attempts) != 2 || len(next.Recipients) != 50 {
			t.Errorf("handed back %d with attempts %v", len(next.Recipients), next.Attempts)
		}
	})
}

// opened is a guard whose breaker is open for an hour, for all traffic.
func opened(t *testing.T) *guard.Guard {
	t.Helper()
	g := newGuard(t, func(c *guard.Config) { c.OpenAfter.Many = 1 })
	ticket, err := g.Admit(context.Background(), guard.Ask{Traffic: guard.TrafficHigh, To: push.Address{Kind: push.KindToken, Value: "other"}})
	if err != nil {
		t.Fatal(err)
	}
	ticket.Done(push.CodeFCMUnavailable, time.Hour)
	return g
}

// TestHold: what the guard would not let through is not even claimed, and makes
// room for what needs no sending.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		lane  push.Lane
		tune  func(r *rig)
		after time.Duration // that it waits in place
		want  string
		state ledger.State
	}{
		{"bulk", push.LaneBulk, nil, 10 * time.Second, "retry", ledger.StatePlanned},
		{"bulk retries", push.LaneBulk, func(r *rig) { r.chunk.Attempt = 2 }, 2 * time.Second, "retry", ledger.StatePlanned},
		{"high", push.LaneHigh, nil, time.Second, "retry", ledger.StatePlanned},
		{"high, put off before", push.LaneHigh, func(r *rig) { r.chunk.NotBefore = time.Now() }, 0, "retry", ledger.StatePlanned},
		{"high retries", push.LaneHigh, func(r *rig) { r.chunk.Attempt = 2 }, 0, "retry", ledger.StatePlanned},
		{"replay", push.LaneReplay, nil, 10 * time.Second, "retry", ledger.StatePlanned},
		{
			"expires meanwhile", push.LaneBulk, func(r *rig) { r.change(func(n *push.Notification) { n.TTL = 5 * time.Second }) }, 5 * time.Second,
			"ack", ledger.StateClosed,
		},
		{"is cancelled meanwhile", push.LaneBulk, func(r *rig) {
			go func() {
				time.Sleep(3 * time.Second)
				r.setState(push.StateCancelled)
			}()
		}, 10 * time.Second, "ack", ledger.StateClosed},
		{
			"is cancelled", push.LaneBulk, func(r *rig) { r.change(func(n *push.Notification) { n.Progress.State = push.StateCancelled }) }, 0,
			"ack", ledger.StateClosed,
		},
		{"is drained", push.LaneBulk, nil, 4 * time.Second, "hand_back", ledger.StatePlanned},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			in(t, 3, func(r *rig) { r.cfg.Lane, r.cfg.Guard = tc.lane, opened(t) }, func(r *rig) {
				if tc.tune != nil {
					tc.tune(r)
				}
				draining := make(chan struct{})
				if tc.want == "hand_back" {
					time.AfterFunc(4*time.Second, func() { close(draining) })
				}
				start := time.Now()
				v := r.deliverUntil(context.Background(), r.chunk, draining)
				if waited := time.Since(start); v.word != tc.want || waited != tc.after {
					t.Errorf("%+v after %v, want %s after %v", v, waited, tc.want, tc.after)
				}
				if l := r.line(); l.State != tc.state || r.fcm.total != 0 {
					t.Errorf("line is %s, %d requests", l.State, r.fcm.total)
				}
				if tc.want != "retry" {
					return
				}
				marked := ""
				if v.body != "" {
					c, _, err := wire.DecodeChunk([]byte(v.body))
					// The mark is long over: the wait is the queue's, and no clock that is set back prolongs it.
					if err != nil || c.NotBefore.IsZero() || time.Since(c.NotBefore) < 24*time.Hour || c.Turn != 0 {
						t.Errorf("comes again as %+v, %v", c, err)
					}
					marked = "marked"
				}
				if (marked != "") != (tc.name == "high") {
					t.Errorf("comes again %q", marked)
				}
			})
		})
	}
}

// TestFewRetriesInHand: more of them than the lane has places for stay on the
// queue.
func TestFewRetriesInHand(t *testing.T) {
	t.Parallel()
	in(t, 1, func(r *rig) { r.cfg.Retries = 3 }, func(r *rig) {
		r.fcm.latency = 5 * time.Second
		var all sync.WaitGroup
		var mu sync.Mutex
		words := map[string]int{}
		for seq := range 10 {
			c := r.another(seq+1, 1)
			c.Attempt = 2
			all.Go(func() {
				v := r.deliver(c)
				mu.Lock()
				defer mu.Unlock()
				words[v.word]++
			})
		}
		time.Sleep(time.Second)
		if v := r.deliver(r.chunk); v.word != "ack" { // a first attempt has its place
			t.Errorf("%+v", v)
		}
		all.Wait()
		if diff := cmp.Diff(map[string]int{"ack": 3, "retry": 7}, words); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		again := r.another(20, 1)
		again.Attempt = 2
		if v := r.deliver(again); v.word != "ack" {
			t.Errorf("when they are done: %+v", v)
		}
	})
}
