package deliver_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/test/raced"
)

// TestFlagsFollowThePace kills a process that sends several chunks at some pace,
// again and again at random moments, and compares whom the next owner would flag
// with whom FCM has taken without the ledger knowing: over all kills no more than
// twice as many, and never more than a window and a checkpoint of each chunk.
func TestFlagsFollowThePace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		guard    float64 // requests a second of the process
		throttle int     // of the batch
		latency  time.Duration
		chunks   int
		kills    int
		until    time.Duration // the kills lie between a fifth of it and it
	}{
		{"full speed", 1e6, 0, 50 * time.Millisecond, 10, 10, 350 * time.Millisecond},
		{"full speed, slow answers", 1e6, 0, time.Second, 10, 10, 5 * time.Second},
		{"1,500 a second", 1500, 0, 50 * time.Millisecond, 20, 20, time.Second},
		{"100 a second", 100, 0, 50 * time.Millisecond, 10, 30, 3 * time.Second},
		{"10 a second", 10, 0, 200 * time.Millisecond, 5, 60, 3 * time.Second},
		{"batch of 200 a second", 1e6, 200, 50 * time.Millisecond, 4, 30, 3 * time.Second},
		{"batch of 20 a second", 1e6, 20, 50 * time.Millisecond, 2, 60, 3 * time.Second},
		{"batch of 3 a second", 1e6, 3, 100 * time.Millisecond, 1, 100, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(7, 7))
			flags, repeats, worst := 0, 0, 0
			kills := max(raced.Rounds(c.kills), c.kills/2) // the bound is one of averages
			for range kills {
				at := c.until/5 + time.Duration(rnd.Int64N(int64(c.until*4/5)))
				synctest.Test(t, func(t *testing.T) {
					f, n := killed(t, at, c.guard, c.throttle, c.latency, c.chunks)
					flags, repeats, worst = flags+f, repeats+n, max(worst, n)
				})
			}
			t.Logf("%s: %d kills, %d repeats (most at once %d), %d flags", c.name, kills, repeats, worst, flags)
			if flags > 2*repeats || worst > c.chunks*(50+50) {
				t.Errorf("%d flags for %d repeats, %d at once", flags, repeats, worst)
			}
		})
	}
}

// killed runs a process until the given time, and returns how many recipients its
// lines say may have been sent to, and how many were.
func killed(t *testing.T, at time.Duration, perSecond float64, throttle int, latency time.Duration, chunks int) (flags, repeats int) {
	t.Helper()
	r := setup(t, 400, func(r *rig) {
		r.cfg.Window = 50
		r.change(func(n *push.Notification) { n.PerSecond, n.Progress.Pages = throttle, chunks })
	})
	r.Close()
	r.fcm.latency, r.delay = latency, 2*time.Millisecond
	all := []push.Chunk{r.chunk}
	for i := range chunks - 1 {
		all = append(all, r.another(i+1, 400))
	}
	p := r.start(t, 0, death{})
	p.Close()
	cfg := r.cfg
	cfg.Guard = newGuard(t, func(c *guard.Config) { c.PerSecond = perSecond })
	cfg.Notifications, cfg.Lines, cfg.Sender = r.ledgerOf(p), r.ledgerOf(p), mortalFCM{r.fcm, p}
	cfg.Chunks, cfg.Dead = map[push.Lane]worker.Sink{push.LaneBulk: mortalQueue{r.queue, p}}, mortalQueue{r.dead, p}
	p.Deliver = r.make(cfg)
	defer p.Close()
	var hands sync.WaitGroup
	for _, c := range all {
		hands.Go(func() { p.Handle(p.ctx, messageOf(r.encode(c)), nil) })
	}
	time.Sleep(at)
	p.left.Store(0)
	sent := map[string]bool{}
	r.fcm.mu.Lock()
	for value, n := range r.fcm.asked {
		sent[value] = n > 0 // what is under way reaches FCM all the same
	}
	r.fcm.mu.Unlock()
	for _, c := range all {
		l := r.lineOf(c.Ref)
		for i := range l.Cells {
			if l.UnderWay(i) {
				flags++
			}
			if l.Cells[i].Open() && sent[c.Recipients[i].Address.Value.Reveal()] {
				repeats++
				if !l.UnderWay(i) {
					t.Errorf("%s was sent to and would not be flagged", fmt.Sprint(c.Ref, i))
				}
			}
		}
	}
	p.kill()
	hands.Wait()
	return flags, repeats
}
