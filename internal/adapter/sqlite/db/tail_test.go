package db

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/zap"
)

// notes is a tail that writes what it is given in one row, and refuses a bad item.
type notes struct {
	mu      *sync.Mutex
	durable *[]int // how many items each committed transaction had
}

var errBad = errors.New("bad item")

func (n notes) End(ctx context.Context, tx *sql.Tx, items []any) (func(), error) {
	text := ""
	for _, i := range items {
		s, _ := i.(string)
		if text += s; s == "bad" {
			return nil, errBad
		}
		if s == "panic" {
			panic(s)
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO tails (text) VALUES (?)`, text); err != nil {
		return nil, err
	}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		*n.durable = append(*n.durable, len(items))
	}, nil
}

func openTails(t *testing.T) (*DB, notes) {
	t.Helper()
	d, err := Open(t.Context(), filepath.Join(t.TempDir(), "tails.db"), []Migration{
		{1, `CREATE TABLE rows (text TEXT NOT NULL); CREATE TABLE tails (text TEXT NOT NULL)`},
	}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, notes{&sync.Mutex{}, &[]int{}}
}

func texts(t *testing.T, d *DB, table string) (all []string) {
	t.Helper()
	found, err := d.Read().QueryContext(t.Context(), `SELECT text FROM `+table+` ORDER BY text`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// together has writes with the tail share a transaction, and returns their errors; a write whose text is "none" leaves the
// tail nothing.
func together(t *testing.T, d *DB, n notes, items ...string) []error {
	t.Helper()
	release := holdUp(t, d.Write)
	errs := make([]error, len(items))
	var writes sync.WaitGroup
	for i, item := range items {
		writes.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					errs[i] = errors.New("panicked")
				}
			}()
			errs[i] = d.WriteWith(t.Context(), n, func(tx *sql.Tx) (any, error) {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO rows (text) VALUES (?)`, item); err != nil || item == "none" {
					return nil, err
				}
				return item, nil
			})
		})
		awaitWaiting(d, laneSoon, i+1)
	}
	release()
	writes.Wait()
	return errs
}

// However many writes share a transaction, their tail is written once, and told of the commit.
func TestTailOncePerTransaction(t *testing.T) {
	t.Parallel()
	d, n := openTails(t)
	if err := errors.Join(together(t, d, n, "a", "none", "b", "c")...); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, d, "tails"); !slices.Equal(got, []string{"abc"}) || !slices.Equal(*n.durable, []int{3}) {
		t.Errorf("tails %q, committed with %d items; want one of three", got, *n.durable)
	}
	if err := errors.Join(together(t, d, n, "d")...); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, d, "tails"); !slices.Equal(got, []string{"abc", "d"}) {
		t.Errorf("tails %q after a write alone", got)
	}
}

// A write whose tail fails is undone, and no other one is.
func TestTailFails(t *testing.T) {
	t.Parallel()
	for _, item := range []string{"bad", "panic"} {
		d, n := openTails(t)
		errs := together(t, d, n, "a", item, "none", "b")
		if errs[0] != nil || errs[1] == nil || errs[2] != nil || errs[3] != nil {
			t.Fatalf("errors %v; want one of the second alone", errs)
		}
		if rows := texts(t, d, "rows"); !slices.Equal(rows, []string{"a", "b", "none"}) {
			t.Errorf("rows %q: what the %s tail belongs to is to be undone, and nothing else", rows, item)
		}
		if tails := texts(t, d, "tails"); !slices.Equal(tails, []string{"a", "b"}) || len(*n.durable) != 2 {
			t.Errorf("tails %q, %d told of; want those of a and b", tails, len(*n.durable))
		}
	}
}
