package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

func itemSchema() []Migration {
	return []Migration{{1, `CREATE TABLE item (name TEXT PRIMARY KEY)`}}
}

func openTestDB(tb testing.TB, path string, steps []Migration) *DB {
	tb.Helper()
	d, err := Open(tb.Context(), path, steps, zap.NewNop())
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return d
}

func insert(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO item (name) VALUES (?)`, name)
	return err
}

func names(t *testing.T, d *DB) []string {
	t.Helper()
	got, err := rows.Collect(t.Context(), d.Read(), func(row rows.Scanner) (name string, err error) {
		return name, row.Scan(&name)
	}, `SELECT name FROM item ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantNames(t *testing.T, d *DB, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, names(t, d)); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

// inOneGroup runs the writes so that they share a transaction: it holds the
// writer up until all of them wait.
func inOneGroup(t *testing.T, d *DB, writes ...func(tx *sql.Tx) error) []error {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	errs := make([]error, len(writes))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Write(t.Context(), func(*sql.Tx) error {
			close(held)
			<-release
			return nil
		}); err != nil {
			t.Errorf("holding write: %v", err)
		}
	})
	<-held
	for i, f := range writes {
		wg.Go(func() { errs[i] = d.Write(t.Context(), f) })
	}
	for waiting := 0; waiting < len(writes); {
		d.writer.mu.Lock()
		waiting = len(d.writer.waiting[laneSoon])
		d.writer.mu.Unlock()
	}
	close(release)
	wg.Wait()
	return errs
}

func TestWriteGroupIsolatesFailures(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	errMine := errors.New("mine")
	ok := func(name string) func(*sql.Tx) error {
		return func(tx *sql.Tx) error { return insert(ctx, tx, name) }
	}
	for _, c := range []struct {
		name string
		bad  func(tx *sql.Tx) error
	}{
		{"error after a write", func(tx *sql.Tx) error { return errors.Join(insert(ctx, tx, "bad"), errMine) }},
		{"failed statement", func(tx *sql.Tx) error {
			return fmt.Errorf("%w: %w", errMine, errors.Join(insert(ctx, tx, "twice"), insert(ctx, tx, "twice")))
		}},
		{"transaction gone, as when the disk is full", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, errMine)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
			// The second group, soon after a failure, has savepoints from the start.
			for _, group := range [][2]string{{"a", "b"}, {"c", "d"}} {
				errs := inOneGroup(t, d, ok(group[0]), c.bad, ok(group[1]))
				if errs[0] != nil || !errors.Is(errs[1], errMine) || errs[2] != nil {
					t.Errorf("errors %v, want only the second", errs)
				}
			}
			wantNames(t, d, "a", "b", "c", "d")
		})
	}
}

func TestWritePanicsOnItsCallersGoroutine(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v, want boom", v)
			}
		}()
		_ = d.Write(t.Context(), func(tx *sql.Tx) error {
			if err := insert(t.Context(), tx, "bad"); err != nil {
				t.Error(err)
			}
			panic("boom")
		})
	}()
	if err := d.Write(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "good") }); err != nil {
		t.Fatal(err)
	}
	wantNames(t, d, "good")
}

func TestWriteCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	ctx, cancel := context.WithCancel(t.Context())
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Write(t.Context(), func(*sql.Tx) error {
			close(held)
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-held
	cancelled := make(chan error)
	go func() {
		cancelled <- d.Write(ctx, func(tx *sql.Tx) error { return insert(context.Background(), tx, "cancelled") })
	}()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v, want context.Canceled", err)
	}
	close(release)
	wg.Wait()
	wantNames(t, d)
}

func TestWriteCancelledWhileRunning(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	ctx, cancel := context.WithCancel(t.Context())
	errs := inOneGroup(
		t, d,
		func(tx *sql.Tx) error { return insert(t.Context(), tx, "a") },
		func(tx *sql.Tx) error {
			cancel()
			return insert(ctx, tx, "cancelled")
		},
		func(tx *sql.Tx) error { return insert(t.Context(), tx, "b") },
	)
	if errs[0] != nil || !errors.Is(errs[1], context.Canceled) || errs[2] != nil {
		t.Errorf("errors %v, want only the second, context.Canceled", errs)
	}
	wantNames(t, d, "a", "b")
}

// A statement that runs must not be interrupted: SQLite would roll back the
// transaction of the whole group.
func TestWriteCancelledWithinStatement(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Write(ctx, func(tx *sql.Tx) error {
		go cancel()
		_, err := tx.ExecContext(ctx, `INSERT INTO item (name)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT 'n' || max(i) FROM n`)
		return err
	})
	if err != nil {
		t.Errorf("write: %v", err)
	}
	wantNames(t, d, "n50000")
}

func TestWriteAfterClose(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Write(t.Context(), func(*sql.Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v, want ErrClosed", err)
	}
}

// Nested rows of the same text share no prepared statement.
func TestStatementInUseIsNotReused(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	ctx := t.Context()
	var pairs []string
	err := d.Write(ctx, func(tx *sql.Tx) error {
		pairs = nil
		if err := errors.Join(insert(ctx, tx, "a"), insert(ctx, tx, "b")); err != nil {
			return err
		}
		const query = `SELECT name FROM item ORDER BY name`
		return rows.Each(ctx, tx, func(outer rows.Scanner) error {
			var x string
			if err := outer.Scan(&x); err != nil {
				return err
			}
			return rows.Each(ctx, tx, func(inner rows.Scanner) error {
				var y string
				defer func() { pairs = append(pairs, x+y) }()
				return inner.Scan(&y)
			}, query)
		}, query)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"aa", "ab", "ba", "bb"}, pairs); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
}

// What "durable" stands on: https://www.sqlite.org/pragma.html#pragma_synchronous
func TestWriterSyncsEveryCommit(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	got := map[string]string{}
	err := d.Write(t.Context(), func(tx *sql.Tx) error {
		for _, pragma := range []string{"journal_mode", "synchronous", "auto_vacuum"} {
			var value string
			if err := tx.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&value); err != nil {
				return err
			}
			got[pragma] = value
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "auto_vacuum": "2"} // FULL, INCREMENTAL
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pragmas (-want +got):\n%s", diff)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	if _, err := d.Read().ExecContext(t.Context(), `INSERT INTO item (name) VALUES ('x')`); err == nil {
		t.Error("a write through the reading pool succeeded")
	}
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd name ?%#&.db")
	second := append(itemSchema(), Migration{2, `
		ALTER TABLE item ADD COLUMN size INTEGER NOT NULL DEFAULT 7;
		CREATE INDEX item_size ON item (size)`})

	d := openTestDB(t, path, itemSchema())
	if err := d.Write(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "old") }); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		d = openTestDB(t, path, second)
		var size int
		if err := d.Read().QueryRowContext(t.Context(), `SELECT size FROM item WHERE name = 'old'`).Scan(&size); err != nil || size != 7 {
			t.Errorf("size = %d, %v; want 7", size, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(t.Context(), path, itemSchema(), zap.NewNop()); !errors.Is(err, push.ErrNewerSchema) {
		t.Errorf("opening with an older program: %v, want push.ErrNewerSchema", err)
	}
	if _, err := Open(t.Context(), path, append(second, Migration{3, `no SQL`}), zap.NewNop()); err == nil {
		t.Error("opening with a broken migration succeeded")
	}
	openTestDB(t, path, second) // untouched by both
}

// Opening, migrating and writing one file from many sides at once.
func TestOpenConcurrently(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			d, err := Open(t.Context(), path, itemSchema(), zap.NewNop())
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 20 {
				if err := d.Write(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, fmt.Sprint(i, "-", n)) }); err != nil {
					t.Error(err)
				}
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(names(t, openTestDB(t, path, itemSchema()))); got != 120 {
		t.Errorf("%d rows, want 120", got)
	}
}

// After a peak the file gives its pages back.
func TestTidyShrinks(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), []Migration{{1, `CREATE TABLE blob (data BLOB)`}})
	ctx := t.Context()
	pages := func() (n int) {
		if err := d.Read().QueryRowContext(ctx, "PRAGMA page_count").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	exec := func(query string) {
		if err := d.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, query)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO blob SELECT zeroblob(8 << 20)`)
	peak := pages()
	exec(`DELETE FROM blob`)
	if err := d.Write(ctx, func(*sql.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	d.writer.spare = 100
	d.writer.tidy(ctx) // the writer's goroutine is idle: nobody writes
	// Down to where half of the file is free, or to the spare pages.
	if got := pages(); got > peak/10 {
		t.Errorf("%d pages after the peak of %d", got, peak)
	}
}

// TestCacheIsBounded: both kinds of connection have the cache that they were given.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), itemSchema(), zap.NewNop(), Cache{Writer: 3000, Reader: 500})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	for want, pool := range map[int]*sql.DB{-3000: d.writer.conn, -500: d.Read()} {
		var size int
		if err := pool.QueryRowContext(t.Context(), "PRAGMA cache_size").Scan(&size); err != nil || size != want {
			t.Errorf("the cache has %d (%v), want %d", size, err, want)
		}
	}
}
