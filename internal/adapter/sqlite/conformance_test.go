package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/queue"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/idempotency/idempotencytest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/quota/quotatest"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/sharedrate/sharedratetest"
	"github.com/belfry-push/belfry/internal/tail/tailtest"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

var (
	_ ledgertest.Store  = (*Store)(nil)
	_ device.Store      = (*Store)(nil)
	_ idempotency.Store = (*Store)(nil)
	_ document.Store    = (*Store)(nil)
	_ audit.Store       = (*Store)(nil)
	_ batch.Pages       = (*Store)(nil)

	_ letters.Store        = (*Store)(nil)
	_ replay.Letters       = (*Store)(nil)
	_ replay.Lines         = (*Store)(nil)
	_ replay.Notifications = (*Store)(nil)
	_ letterstest.Store    = (*Store)(nil)
)

// openStoreAt opens a store on the files of a directory. Closing it is the
// caller's.
func openStoreAt(tb testing.TB, dir string) (*Store, func()) {
	tb.Helper()
	main, err := db.Open(tb.Context(), filepath.Join(dir, "store.db"), storeMigrations(), zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := db.Open(tb.Context(), filepath.Join(dir, "pages.db"), pagesMigrations(), zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	return newStore(main, pages), func() {
		if err := main.Close(); err != nil {
			tb.Error(err)
		}
		if err := pages.Close(); err != nil {
			tb.Error(err)
		}
	}
}

func openStore(tb testing.TB) *Store {
	tb.Helper()
	s, closeStore := openStoreAt(tb, tb.TempDir())
	tb.Cleanup(closeStore)
	return s
}

// restartStore returns a function that opens the same store anew each time.
func restartStore(tb testing.TB) func() *Store {
	tb.Helper()
	dir := tb.TempDir()
	closeStore := func() {}
	tb.Cleanup(func() { closeStore() })
	return func() *Store {
		closeStore()
		var s *Store
		s, closeStore = openStoreAt(tb, dir)
		return s
	}
}

// Every suite shares one store among its cases, which run in parallel: what one
// case writes must not show in another.

func TestConformanceLedger(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ledgertest.Run(t, func(*testing.T) ledgertest.Store { return s }, ledgertest.Features{
		Restart: func(t *testing.T) func() ledgertest.Store {
			t.Helper()
			reopen := restartStore(t)
			return func() ledgertest.Store { return reopen() }
		},
	})
}

func TestConformanceDevices(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	devicetest.Run(t, func(*testing.T) device.Store { return s }, devicetest.Features{
		Restart: func(t *testing.T) func() device.Store {
			t.Helper()
			reopen := restartStore(t)
			return func() device.Store { return reopen() }
		},
	})
}

func TestConformanceIdempotency(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	idempotencytest.Run(t, func(*testing.T) idempotency.Store { return s }, idempotencytest.Features{
		Restart: func(t *testing.T) func() idempotency.Store {
			t.Helper()
			reopen := restartStore(t)
			return func() idempotency.Store { return reopen() }
		},
	})
}

func TestConformanceDocuments(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	documenttest.Run(t, func(*testing.T) document.Store { return s }, documenttest.Features{
		Restart: func(t *testing.T) func() document.Store {
			t.Helper()
			reopen := restartStore(t)
			return func() document.Store { return reopen() }
		},
	})
}

func TestConformancePages(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	batchtest.Run(t, func(*testing.T) batch.Pages { return s }, batchtest.Features{
		Restart: func(t *testing.T) func() batch.Pages {
			t.Helper()
			reopen := restartStore(t)
			return func() batch.Pages { return reopen() }
		},
	})
}

func TestConformanceLetters(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	letterstest.Run(t, func(*testing.T) letterstest.Store { return s }, letterstest.Features{
		Restart: func(t *testing.T) func() letterstest.Store {
			t.Helper()
			reopen := restartStore(t)
			return func() letterstest.Store { return reopen() }
		},
	})
}

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

func openQueue(tb testing.TB, b *Backend, name string, cfg QueueConfig) *queue.Queue {
	tb.Helper()
	q, err := b.Queue(tb.Context(), name, cfg)
	if err != nil {
		tb.Fatalf("Queue: %v", err)
	}
	return q
}

func TestConformanceSharedRate(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	sharedratetest.Run(t, func(*testing.T) document.Store { return s })
}

func TestConformanceQuotas(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	quotatest.Run(t, func(*testing.T) document.Store { return s })
}

func TestConformanceTail(t *testing.T) {
	t.Parallel()
	tailtest.Run(t, func(t *testing.T) document.Store { t.Helper(); return openStore(t) })
}

func TestConformanceAudit(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	audittest.Run(t, func(*testing.T) audit.Store { return s }, audittest.Features{
		Joint: true,
		Restart: func(t *testing.T) func() audit.Store {
			t.Helper()
			reopen := restartStore(t)
			return func() audit.Store { return reopen() }
		},
	})
}
