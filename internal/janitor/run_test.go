package janitor_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// TestSuspect: what an operator knows to be lost is sent anew in the next round,
// once, whatever is due later or may be in a queue; what lives is left alone.
func TestSuspect(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		id := r.batch(2, nil)
		r.queues[push.QueueBulk].depth.Visible = 1000
		r.line(id, 0, 0, ledger.StateWaiting, func(l *ledger.Line) { l.Due = time.Now().Add(time.Hour) })
		r.line(id, 1, 0, ledger.StateClaimed, nil)
		young := r.batch(1, nil)
		r.sleep(time.Second)
		if err := janitor.Suspect(r.t.Context(), r.docs, "purged", time.Now()); err != nil {
			t.Fatal(err)
		}
		r.round()
		if got := r.taken(); len(got) != 0 {
			t.Errorf("asked before anybody could show that he lives: %+v", got)
		}
		r.sleep(10 * time.Second)
		r.write(id, 1, time.Now()) // its owner lives
		f := r.round()
		got := r.taken()
		if f.Chunks != 1 || f.Pages != 1 || len(got) != 3 || got[0].Notification != id && got[2].Notification != id {
			t.Errorf("found %+v, asked %+v", f, got)
		}
		r.sleep(time.Minute)
		if f := r.round(); f.Any() {
			t.Errorf("found again: %+v", f)
		}
		_ = young
		if err := janitor.Suspect(r.t.Context(), r.docs, "once more", time.Now()); err != nil {
			t.Fatal(err)
		}
		r.sleep(10 * time.Second)
		if f := r.round(); f.Chunks != 2 || f.Pages != 1 {
			t.Errorf("after a second loss: %+v", f)
		}
	})
}

// TestSuspicionOutlastsAFailedRound: it is dropped when everything was looked at.
func TestSuspicionOutlastsAFailedRound(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		r.batch(1, nil)
		r.sleep(time.Second)
		if err := janitor.Suspect(r.t.Context(), r.docs, "", time.Now()); err != nil {
			t.Fatal(err)
		}
		r.sleep(10 * time.Second)
		r.tasksAway.Store(true)
		if _, err := r.Round(r.t.Context()); err == nil {
			t.Error("a queue that is away is no error")
		}
		r.tasksAway.Store(false)
		if f := r.round(); f.Pages != 1 {
			t.Errorf("found %+v", f)
		}
	})
}

// janitors is several processes that each run a janitor on one ledger.
type janitors struct {
	asked *counter
	stops []context.CancelFunc
	ended sync.WaitGroup
}

// counter replays nothing, and counts rounds.
type counter struct {
	mu     sync.Mutex
	rounds map[string]int
}

type seen struct {
	*counter
	owner string
}

func (s seen) Reconcile(context.Context, time.Time, time.Time, lostFunc) (int, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rounds[s.owner]++
	return 0, true, nil
}

type lostFunc = func(ctx context.Context, queue string, written, due time.Time) (bool, error)

func (c *counter) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.rounds
	c.rounds = map[string]int{}
	return all
}

func newJanitors(r *rig, n int) *janitors {
	c := &janitors{asked: &counter{rounds: map[string]int{}}}
	for i := range n {
		cfg := r.cfg
		cfg.Owner = fmt.Sprintf("process %d", i)
		cfg.Replays = seen{c.asked, cfg.Owner}
		cfg.Metrics = janitor.NewMetrics(prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(r.t.Context())
		c.stops = append(c.stops, cancel)
		c.ended.Go(func() { janitor.New(cfg).Run(ctx) })
		synctest.Wait() // so that the first is the first
		r.sleep(time.Second)
	}
	return c
}

// TestOneAtATime: of several processes one is the janitor; when it stops another
// follows at once, when it dies after three rounds of silence.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		c := newJanitors(r, 3)
		r.sleep(10 * time.Minute)
		got := c.asked.take()
		if len(got) != 1 || got["process 0"] < 19 || got["process 0"] > 21 {
			t.Errorf("rounds in ten minutes: %v", got)
		}
		c.stops[0]()
		r.sleep(31 * time.Second)
		if got := c.asked.take(); got["process 1"]+got["process 2"] == 0 {
			t.Errorf("half a minute after an orderly stop: %v", got)
		}
		r.sleep(5 * time.Minute)
		if got := c.asked.take(); len(got) != 1 {
			t.Errorf("rounds: %v", got)
		}
		for _, stop := range c.stops {
			stop()
		}
		c.ended.Wait()
	})
	in(t, func(r *rig) {
		if err := r.docs.PutDocument(r.t.Context(), leaseOf("dead")); err != nil {
			t.Fatal(err)
		}
		c := newJanitors(r, 1)
		r.sleep(80 * time.Second)
		if got := c.asked.take(); len(got) != 0 {
			t.Errorf("rounds while the janitor may live: %v", got)
		}
		r.sleep(40 * time.Second)
		if got := c.asked.take(); got["process 0"] == 0 {
			t.Errorf("two minutes after a death: %v", got)
		}
		c.stops[0]()
		c.ended.Wait()
	})
}

// TestSuspectDoesNotWaitForTheDead: the janitor of before a restore is never
// heard of again; a place that is given to anybody is taken at the next round.
func TestSuspectDoesNotWaitForTheDead(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		if err := r.docs.PutDocument(r.t.Context(), leaseOf("dead")); err != nil {
			t.Fatal(err)
		}
		if err := janitor.Suspect(r.t.Context(), r.docs, "restored", time.Now()); err != nil {
			t.Fatal(err)
		}
		c := newJanitors(r, 2)
		r.sleep(40 * time.Second)
		if got := c.asked.take(); got["process 0"] < 2 || len(got) != 1 {
			t.Errorf("rounds: %v", got)
		}
		if err := janitor.Suspect(r.t.Context(), r.docs, "purged", time.Now()); err != nil { // its holder lives
			t.Fatal(err)
		}
		r.sleep(time.Minute)
		if got := c.asked.take(); len(got) != 1 {
			t.Errorf("rounds: %v", got)
		}
		for _, stop := range c.stops {
			stop()
		}
		c.ended.Wait()
	})
}

// leaseOf is a lease that its holder does not renew.
func leaseOf(owner string) document.Document {
	return document.Document{Kind: "janitor", Name: "lease", Version: 1, Body: []byte(`{"owner":"` + owner + `"}`)}
}

// TestFailureIsLoggedOnce: a store that is away is told when it goes and when it
// comes back.
func TestFailureIsLoggedOnce(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		ctx, cancel := context.WithCancel(r.t.Context())
		ended := make(chan struct{})
		r.docsAway.Store(true)
		go func() {
			defer close(ended)
			r.Run(ctx)
		}()
		r.sleep(10 * time.Minute)
		r.docsAway.Store(false)
		r.sleep(10 * time.Minute)
		synctest.Wait() // for the round that is due now
		cancel()
		<-ended
		if n := r.logs.Len(); n != 2 {
			t.Errorf("%d lines in the log", n)
		}
		if r.metric("belfry_janitor_leading", "") != 1 || r.metric("belfry_janitor_last_round_timestamp_seconds", "") == 0 {
			t.Error("metrics do not tell who is the janitor and when it looked")
		}
	})
}

// TestSettled: while a suspicion stands nothing should be removed.
func TestSettled(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		settled := func(want bool) {
			t.Helper()
			if got, err := janitor.Settled(r.t.Context(), r.docs); err != nil || got != want {
				t.Errorf("settled: %t (%v), want %t", got, err, want)
			}
		}
		settled(true)
		if err := janitor.Suspect(r.t.Context(), r.docs, "restored", time.Now()); err != nil {
			t.Fatal(err)
		}
		settled(false)
		r.sleep(time.Minute)
		r.round()
		settled(true)
	})
}
