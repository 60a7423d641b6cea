package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/idempotency/idempotencytest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
)

var (
	_ ledgertest.Store  = (*Store)(nil)
	_ device.Store      = (*Store)(nil)
	_ idempotency.Store = (*Store)(nil)
	_ document.Store    = (*Store)(nil)
	_ batch.Pages       = (*Store)(nil)
)

// openStoreAt opens a store on the files of a directory. Closing it is the
// caller's.
func openStoreAt(tb testing.TB, dir string) (*Store, func()) {
	tb.Helper()
	main, err := openDB(tb.Context(), filepath.Join(dir, "store.db"), storeMigrations(), zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := openDB(tb.Context(), filepath.Join(dir, "pages.db"), pagesMigrations(), zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	return newStore(main, pages), func() {
		if err := main.close(); err != nil {
			tb.Error(err)
		}
		if err := pages.close(); err != nil {
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
