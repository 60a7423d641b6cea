package sqlite

import (
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

func TestConformanceQueue(t *testing.T) {
	t.Parallel()
	workertest.Run(t, openHarness, workertest.Features{
		VirtualClock: true, WallClock: true, Groups: true, Fairness: true, Depth: true, ExactReceiveCounts: true, Redrive: true,
		GarbageReceiptRefused: true, StaleReceiptRefused: true, EmojiBodies: true,
	})
}

func openHarness(t *testing.T, cfg workertest.Config) workertest.Harness {
	t.Helper()
	dir := t.TempDir()
	qc := QueueConfig{Visibility: cfg.Visibility, MaxReceives: cfg.MaxReceives, Now: cfg.Now}
	if cfg.MaxReceives > 0 {
		qc.DeadLetterQueue = "work-dead"
	}
	b := openBackend(t, dir)
	h := workertest.Harness{
		Queue: openQueue(t, b, "work", qc),
		Reopen: func(t *testing.T) worker.Queue {
			t.Helper()
			if err := b.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return openQueue(t, openBackend(t, dir), "work", qc)
		},
		Another: func(t *testing.T) worker.Queue {
			t.Helper()
			return openQueue(t, openBackend(t, dir), "work", qc)
		},
	}
	if cfg.MaxReceives > 0 {
		h.DeadLetters = openQueue(t, b, "work-dead", QueueConfig{})
	}
	return h
}

// openBackend opens a data directory for the time of the test.
func openBackend(tb testing.TB, dir string) *Backend {
	tb.Helper()
	b, err := Open(tb.Context(), dir, zap.NewNop())
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return b
}

func openQueue(tb testing.TB, b *Backend, name string, cfg QueueConfig) *Queue {
	tb.Helper()
	q, err := b.Queue(tb.Context(), name, cfg)
	if err != nil {
		tb.Fatalf("Queue: %v", err)
	}
	return q
}
