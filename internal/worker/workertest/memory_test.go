package workertest_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformanceMemory leaves out only what needs a second life: what is in
// memory ends with its process.
func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	open := func(_ *testing.T, cfg workertest.Config) workertest.Harness {
		q := &workertest.Memory{Visibility: cfg.Visibility, MaxReceives: cfg.MaxReceives}
		h := workertest.Harness{Queue: q, Another: func(*testing.T) worker.Queue { return q }}
		if cfg.MaxReceives > 0 {
			q.DeadLetters = &workertest.Memory{Visibility: cfg.Visibility}
			h.DeadLetters = q.DeadLetters
		}
		return h
	}
	features := workertest.Features{
		VirtualClock: true, WallClock: true, Groups: true, Fairness: true, Depth: true, ExactReceiveCounts: true, Redrive: true,
		GarbageReceiptRefused: true, StaleReceiptRefused: true, EmojiBodies: true,
	}
	t.Run("alone", func(t *testing.T) { t.Parallel(); workertest.Run(t, open, features) })
	t.Run("behind faults that do not come", func(t *testing.T) {
		t.Parallel()
		features := features
		features.Depth = false // the port has no gauge
		workertest.Run(t, func(t *testing.T, cfg workertest.Config) workertest.Harness {
			t.Helper()
			h := open(t, cfg)
			around := workertest.Around{Queue: h.Queue, Do: new(workertest.Calls).Do}
			h.Queue, h.Another = around, func(*testing.T) worker.Queue { return around }
			return h
		}, features)
	})
}

// TestMemoryForTests: what a test does to a queue past the port.
func TestMemoryForTests(t *testing.T) {
	t.Parallel()
	var q workertest.Memory
	q.Put(worker.Outgoing{Body: []byte("a"), Delay: time.Minute}, worker.Outgoing{Body: []byte("b")})
	q.PutMessage(worker.Message{ID: "x", Body: []byte("c"), Receives: 6})
	receive := func() (bodies string, last worker.Message) {
		msgs, err := q.Receive(t.Context(), worker.MaxBatch, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			bodies, last = bodies+string(m.Body), m
		}
		return bodies, last
	}
	if got, last := receive(); got != "bc" || last.ID != "x" || last.Receives != 7 {
		t.Errorf("received %q, the last as %+v", got, last)
	}
	q.Surface()
	if got, _ := receive(); got != "abc" {
		t.Errorf("surfaced %q, want all", got)
	}
	if got := string(q.Take(1).Body) + string(q.Peek(1).Body); got != "bc" || q.Len() != 2 || q.Sent() != 3 {
		t.Errorf("took and saw %q, %d left of %d", got, q.Len(), q.Sent())
	}
	if all := q.TakeAll(); len(all) != 2 || q.Len() != 0 {
		t.Errorf("took %d, left %d", len(all), q.Len())
	}
}
