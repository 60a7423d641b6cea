package deliver_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// starts returns when each request began, in order.
func (f *fcm) starts() (all []time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.at {
		all = append(all, at...)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// busiest returns the largest number of requests that began within any second.
func busiest(starts []time.Time) (most int) {
	first := 0
	for i, at := range starts {
		for at.Sub(starts[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// another is a further chunk of the same batch with recipients of its own.
func (r *rig) another(seq, n int) push.Chunk {
	c := r.chunk
	c.Ref.Seq, c.Recipients, c.Index = seq, nil, nil
	for i := range n {
		c.Recipients = append(c.Recipients, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(name(1000*seq + i))}})
		c.Index = append(c.Index, i)
	}
	r.ledger.PutLine(ledger.NewLine(ledger.Plan{Ref: c.Ref, Tenant: c.Tenant, Sources: n, Cells: make([]ledger.Cell, n)}, time.Now()))
	return c
}

// perSecond throttles the notification.
func (r *rig) perSecond(n int) { r.change(func(ntf *push.Notification) { ntf.PerSecond = n }) }

// TestThrottle: the requests of a chunk start evenly at the batch's pace,
// whatever FCM's latency.
func TestThrottle(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{0, 30 * time.Millisecond, time.Second} {
		in(t, 200, func(r *rig) { r.perSecond(50); r.cfg.Window, r.cfg.Brake = 100, 0 }, func(r *rig) {
			r.fcm.latency = latency
			if turns := r.finish(); turns != 1 {
				t.Errorf("took %d turns", turns)
			}
			starts := r.fcm.starts()
			for i := 1; i < len(starts); i++ {
				if gap := starts[i].Sub(starts[i-1]); gap < 19*time.Millisecond || gap > 21*time.Millisecond {
					t.Fatalf("latency %v: %v between requests %d and %d", latency, gap, i-1, i)
				}
			}
			if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 200}, r.codes()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestThrottleIsShared: the chunks of a batch that a process has in hand keep
// its pace together. Timers that fire late are caught up on by 1 % at most.
func TestThrottleIsShared(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []int{20, 400} {
		in(t, 100, func(r *rig) { r.perSecond(perSecond) }, func(r *rig) {
			r.fcm.latency = 10 * time.Millisecond
			var all sync.WaitGroup
			for _, c := range []push.Chunk{r.chunk, r.another(1, 100), r.another(2, 100)} {
				all.Go(func() { r.deliver(c) })
			}
			all.Wait()
			starts := r.fcm.starts()
			if most := busiest(starts); len(starts) != 300 || most > perSecond+max(1, perSecond/100) || most < min(perSecond, 300)-1 {
				t.Errorf("%d requests, %d of them in a second, want %d", len(starts), most, perSecond)
			}
			if took := starts[299].Sub(starts[0]); took < 295*time.Second/time.Duration(perSecond) {
				t.Errorf("%d a second: took %v", perSecond, took)
			}
		})
	}
}

// TestSlowThrottle: a chunk that would take minutes gives its place in the
// worker to others every few seconds. That uses up no attempt.
func TestSlowThrottle(t *testing.T) {
	t.Parallel()
	in(t, 100, func(r *rig) { r.perSecond(2); r.cfg.MaxAttempts = 1 }, func(r *rig) {
		r.fcm.latency = 50 * time.Millisecond
		start := time.Now()
		if v := r.deliver(r.chunk); v.word != "ack" || time.Since(start) > 16*time.Second {
			t.Fatalf("%+v after %v", v, time.Since(start))
		}
		next := r.queue.chunks()[0]
		if len(next.Recipients) != 69 || next.Attempt != 1 || r.queue.msgs[0].Delay > time.Second {
			t.Fatalf("%d recipients left, attempt %d, delay %v", len(next.Recipients), next.Attempt, r.queue.msgs[0].Delay)
		}
		r.queue.msgs, r.chunk = nil, next
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 100}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		starts := r.fcm.starts()
		if took := starts[99].Sub(start); busiest(starts) > 3 || took < 49*time.Second || took > 55*time.Second {
			t.Errorf("took %v, %d in a second", took, busiest(starts))
		}
	})
}

// TestCrowdedThrottle: chunks that the pace has no room for stay on the queue,
// unclaimed, and come back one by one.
func TestCrowdedThrottle(t *testing.T) {
	t.Parallel()
	in(t, 100, func(r *rig) { r.perSecond(1) }, func(r *rig) {
		var all sync.WaitGroup
		for seq := range 8 {
			c := r.another(seq+1, 100)
			all.Go(func() {
				start := time.Now()
				v := r.deliver(c)
				switch l := r.lineOf(c.Ref); {
				case time.Since(start) > 20*time.Second:
					t.Errorf("chunk %d kept its place for %v", seq, time.Since(start))
				case v.word == "retry" && (l.Epoch != 0 || v.after <= 3*time.Second || v.after > 2*time.Minute):
					t.Errorf("chunk %d: %+v, epoch %d", seq, v, l.Epoch)
				}
			})
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if starts := r.fcm.starts(); busiest(starts) > 1 || len(starts) < 12 {
			t.Errorf("%d requests, %d in a second", len(starts), busiest(starts))
		}
	})
}

// TestThrottledExpires: who waits for the pace is told expired in time.
func TestThrottledExpires(t *testing.T) {
	t.Parallel()
	in(t, 100, func(r *rig) { r.change(func(n *push.Notification) { n.PerSecond, n.TTL = 1, 40*time.Second }) }, func(r *rig) {
		start := time.Now()
		r.finish()
		codes := r.codes()
		if took := time.Since(start); took > 42*time.Second || codes[push.CodeExpired]+codes[push.CodeSent] != 100 || codes[push.CodeSent] < 35 {
			t.Errorf("took %v: %v", took, codes)
		}
	})
}
