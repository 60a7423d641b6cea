package db

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
)

// order notes which writes ran, in their order.
type order struct {
	mu   sync.Mutex
	seen []string
}

func (o *order) ran(name string) func(*sql.Tx) error {
	return func(*sql.Tx) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.seen = append(o.seen, name)
		return nil
	}
}

// awaitWaiting waits until so many writes wait in a lane.
func awaitWaiting(d *DB, l lane, n int) {
	for waiting := -1; waiting < n; {
		d.writer.mu.Lock()
		waiting = len(d.writer.waiting[l])
		d.writer.mu.Unlock()
	}
}

// holdUp occupies the writer, by a write of a lane, until the returned function is called, which
// waits for its end.
func holdUp(t *testing.T, write func(context.Context, func(*sql.Tx) error) error) (release func()) {
	t.Helper()
	held, let, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- write(t.Context(), func(*sql.Tx) error {
			close(held)
			<-let
			return nil
		})
	}()
	<-held
	return func() {
		close(let)
		if err := <-ended; err != nil {
			t.Errorf("holding write: %v", err)
		}
	}
}

// What was given to Write goes first, whatever has been waiting for how long.
func TestWriteGoesBeforeWriteLater(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	release := holdUp(t, d.Write)
	var o order
	var writes sync.WaitGroup
	const bulk = 10
	for range bulk {
		writes.Go(func() { d.WriteLater(t.Context(), o.ran("bulk")) })
	}
	awaitWaiting(d, laneLater, bulk)
	d.writer.mu.Lock()
	d.writer.ranLater = time.Now().Add(time.Hour) // it has had its share
	d.writer.mu.Unlock()
	writes.Go(func() { d.Write(t.Context(), o.ran("checkpoint")) })
	awaitWaiting(d, laneSoon, 1)
	release()
	writes.Wait()
	if len(o.seen) != bulk+1 || o.seen[0] != "checkpoint" {
		t.Errorf("ran in the order %v", o.seen)
	}
}

// Bulk that is running lets a write in before its next f.
func TestWriteLaterYields(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	release := holdUp(t, d.Write)
	var o order
	var writes sync.WaitGroup
	const bulk = 10
	began, let := make(chan struct{}), make(chan struct{})
	for range bulk {
		writes.Go(func() {
			d.WriteLater(t.Context(), func(tx *sql.Tx) error {
				select {
				case began <- struct{}{}: // the first of them
					<-let
				case <-let:
				}
				return o.ran("bulk")(tx)
			})
		})
	}
	awaitWaiting(d, laneLater, bulk)
	release()
	<-began // one of ten that share a transaction
	d.writer.mu.Lock()
	d.writer.ranLater = time.Now().Add(time.Hour)
	d.writer.mu.Unlock()
	writes.Go(func() { d.Write(t.Context(), o.ran("checkpoint")) })
	awaitWaiting(d, laneSoon, 1)
	close(let)
	writes.Wait()
	if at := slices.Index(o.seen, "checkpoint"); len(o.seen) != bulk+1 || at != 1 {
		t.Errorf("ran in the order %v", o.seen)
	}
}

// Bulk gets its share although something else always waits.
func TestWriteLaterIsNotStarved(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), countSchema())
	stop := make(chan struct{})
	var flood sync.WaitGroup
	flood.Go(func() { writeUntil(t, d, "flood", stop) })
	const most = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	for range 3 {
		if err := d.WriteLater(ctx, func(*sql.Tx) error { return nil }); err != nil {
			t.Errorf("bulk beside a flood of writes: %v", err)
			break
		}
	}
	close(stop)
	flood.Wait()
}

// What waits in either lane is refused at the end.
func TestCloseRefusesBothLanes(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), itemSchema(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	release := holdUp(t, d.Write)
	errs := make(chan error, lanes)
	go func() { errs <- d.Write(t.Context(), func(*sql.Tx) error { return nil }) }()
	go func() { errs <- d.WriteLater(t.Context(), func(*sql.Tx) error { return nil }) }()
	awaitWaiting(d, laneSoon, 1)
	awaitWaiting(d, laneLater, 1)
	d.writer.cancel()
	release()
	for range lanes {
		<-errs // either ran before the writer noticed, or was refused: none is left waiting
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
