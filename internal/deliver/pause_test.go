package deliver_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/test/raced"
)

// lane is the room in one process, with a queue to itself.
type lane struct {
	*deliver.Deliver
	queue *queue
}

func (r *rig) lane(name push.Lane, g *guard.Guard, c push.Chunk) lane {
	cfg := r.cfg
	q := &queue{}
	cfg.Owner, cfg.Lane, cfg.Guard, cfg.Chunks = string(name), name, g, map[push.Lane]worker.Sink{name: q}
	cfg.Rand = rand.New(rand.NewPCG(3, 4)) // a room guards its own only
	_ = q.Send(r.tb.Context(), []worker.Outgoing{{Body: r.encode(c)}})
	return lane{r.make(cfg), q}
}

// run handles what comes to the lane's queue until nothing is left or the time
// is up.
func (l *lane) run(tb testing.TB, until time.Time) {
	tb.Helper()
	for time.Now().Before(until) {
		m, wait, ok := l.queue.due()
		switch {
		case !ok:
			return
		case wait > 0:
			time.Sleep(min(wait, time.Second))
			continue
		}
		if v := look(l.Handle(tb.Context(), worker.Message{Body: m.Body}, nil)); v.word == "retry" {
			_ = l.queue.Send(tb.Context(), []worker.Outgoing{{Body: m.Body, Delay: v.after}})
		}
	}
}

// TestNothingStartsAfterAPause (or cancel): whatever holds the requests up, from
// a second after the state was written none begins, on any lane of any process,
// although the ledger takes its time to answer.
func TestNothingStartsAfterAPause(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Rounds(raced.Rounds(60))) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		between := func(low, high time.Duration) time.Duration { return low + time.Duration(rnd.Int64N(int64(high-low))) }
		pick := func(of ...time.Duration) time.Duration { return of[rnd.IntN(len(of))] }
		in(t, 500, nil, func(r *rig) {
			r.fcm.latency = pick(0, 50*time.Millisecond, 800*time.Millisecond)
			r.slow = pick(0, 20*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond, 1200*time.Millisecond)
			r.change(func(n *push.Notification) { n.PerSecond = []int{0, 0, 3, 150}[rnd.IntN(4)] })
			r.change(func(n *push.Notification) { n.Progress.Pages = 2 })
			g := newGuard(r.tb, func(c *guard.Config) {
				c.PerSecond = []float64{1e6, 120, 20}[rnd.IntN(3)]
				c.OpenAfter.Many = []int{10_000, 20}[rnd.IntN(2)]
			})
			if rnd.IntN(3) == 0 {
				r.all(answer{code: push.CodeFCMUnavailable}, answer{code: push.CodeFCMUnavailable})
			}
			state := []push.State{push.StatePaused, push.StateCancelled}[rnd.IntN(2)]
			when := between(0, 12*time.Second)
			lanes := []lane{
				r.lane(push.LaneBulk, g, r.chunk), r.lane(push.LaneHigh, g, r.another(1, 300)),
				r.lane(push.LaneBulk, newGuard(r.tb, nil), r.another(2, 300)), // in another process
			}
			var all sync.WaitGroup
			begin := time.Now()
			for _, l := range lanes {
				all.Go(func() { l.run(r.tb, begin.Add(5*time.Minute)) })
			}
			time.Sleep(when)
			r.setState(state)
			paused := time.Now()
			all.Wait()
			for _, l := range lanes {
				l.Close()
			}
			for _, at := range r.fcm.starts() {
				if late := at.Sub(paused); late > time.Second {
					r.tb.Fatalf("seed %d: %s %v after the start; a request began %v later", seed, state, when, late)
				}
			}
			for ref, l := range r.ledger.AllLines() {
				if l.OpenCount() > 0 && l.State != ledger.StateParked {
					r.tb.Errorf("seed %d: %s: line %s is %s with %d open", seed, state, ref, l.State, l.OpenCount())
				}
			}
		})
	}
}

// TestHeadReadings: what pausing within a second costs is two readings of the
// head a second, for any number of chunks.
func TestHeadReadings(t *testing.T) {
	t.Parallel()
	in(t, 500, func(r *rig) { r.change(func(n *push.Notification) { n.PerSecond = 100 }) }, func(r *rig) {
		r.slow = time.Millisecond
		var all sync.WaitGroup
		for seq := range 20 {
			c := r.another(seq+1, 50)
			all.Go(func() { r.deliver(c) })
		}
		start := time.Now()
		all.Wait()
		seconds := time.Since(start).Seconds()
		if n := float64(r.reads.Load()); n > 2*seconds+2 || seconds < 9 {
			t.Errorf("%v readings in %.1f s", n, seconds)
		}
	})
}
