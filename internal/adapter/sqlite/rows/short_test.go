package rows

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"
)

func openPool(t *testing.T) *sql.DB {
	t.Helper()
	pool, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	pool.SetMaxOpenConns(1)
	return pool
}

// TestShortIsNotInterrupted: what runs gets a ctx that never ends, so that nothing has to watch it.
func TestShortIsNotInterrupted(t *testing.T) {
	t.Parallel()
	err := Short(t.Context(), openPool(t), func(ctx context.Context, q Querier) error {
		if ctx.Done() != nil {
			t.Error("ctx can end")
		}
		return q.QueryRowContext(ctx, `SELECT 1`).Scan(new(int))
	})
	if err != nil {
		t.Error(err)
	}
}

// TestShortWaitsNoLongerThanAsked: a caller that waits for a connection may give up.
func TestShortWaitsNoLongerThanAsked(t *testing.T) {
	t.Parallel()
	pool := openPool(t)
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		gaveUp <- One(ctx, pool, func(s Scanner) error { return s.Scan(new(int)) }, `SELECT 1`)
	}()
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := conn.Close(); err != nil { // and every connection came back
		t.Error(err)
	}
	if err := One(t.Context(), pool, func(s Scanner) error { return s.Scan(new(int)) }, `SELECT 1`); err != nil {
		t.Error(err)
	}
	none := func(s Scanner) error { return s.Scan(new(int)) }
	if err := One(t.Context(), pool, none, `SELECT 1 WHERE false`); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("of no row: %v", err)
	}
}
