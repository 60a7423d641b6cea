package queue

import (
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
)

// openWatch opens the queues of a directory, for the time of the test.
func openWatch(tb testing.TB, dir string) *Watch {
	tb.Helper()
	file, err := db.Open(tb.Context(), filepath.Join(dir, "queue.db"), Migrations(), zap.NewNop())
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	w := NewWatch(file, zap.NewNop())
	tb.Cleanup(func() { shut(tb, w) })
	return w
}

// shut closes the watch and its file; it may be called again.
func shut(tb testing.TB, w *Watch) {
	tb.Helper()
	w.Close()
	if err := w.db.Close(); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

func openQueue(tb testing.TB, w *Watch, name string, cfg Config) *Queue {
	tb.Helper()
	q, err := Open(tb.Context(), w, name, cfg)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	return q
}
