package queue

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
)

// watchEvery is how soon a waiting receive notices what another process sent.
// A look costs about 10 µs, and none is taken while nobody waits.
const watchEvery = 20 * time.Millisecond

// Watch wakes receivers for what this process's own calls do not: messages that
// come due, and what other processes do. Its goroutine lives while somebody
// waits.
type Watch struct {
	db  *db.DB
	log *zap.Logger

	mu      sync.Mutex
	bells   map[int64]*bell
	waiting int
	stop    context.CancelFunc // of the running goroutine, nil without one
	running sync.WaitGroup

	closeOnce sync.Once
	closed    chan struct{}
}

// NewWatch returns the watch of the file, which has the tables of [Migrations].
// Close it before the file.
func NewWatch(d *db.DB, log *zap.Logger) *Watch {
	return &Watch{db: d, log: log, bells: map[int64]*bell{}, closed: make(chan struct{})}
}

// bell returns the queue's bell; all handles of a queue share one.
func (w *Watch) bell(queue int64) *bell {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, ok := w.bells[queue]
	if !ok {
		b = &bell{queue: queue}
		w.bells[queue] = b
	}
	return b
}

// join puts the caller into the line; it must leave.
func (w *Watch) join(b *bell, now func() int64) *waiter {
	me := b.join(now)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting++
	if w.stop == nil && !w.isClosed() {
		ctx, cancel := context.WithCancel(context.Background())
		w.stop = cancel
		w.running.Go(func() { w.run(ctx) })
	}
	return me
}

// leave takes the waiter out of the line.
func (w *Watch) leave(b *bell, me *waiter) {
	b.leave(me)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
	if w.waiting == 0 {
		w.halt()
	}
}

// halt ends the goroutine, if there is one. mu must be held.
func (w *Watch) halt() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

func (w *Watch) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// Close ends all waiting, for good.
func (w *Watch) Close() {
	w.mu.Lock()
	w.closeOnce.Do(func() { close(w.closed) })
	w.halt()
	w.mu.Unlock()
	w.running.Wait()
}

func (w *Watch) all() []*bell {
	w.mu.Lock()
	defer w.mu.Unlock()
	bells := make([]*bell, 0, len(w.bells))
	for _, b := range w.bells {
		bells = append(bells, b)
	}
	return bells
}

// run looks at the file every watchEvery, and sooner when a message comes due.
func (w *Watch) run(ctx context.Context) {
	var view view
	defer view.close()
	failing := false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		pause, err := w.check(ctx, &view)
		if err != nil && ctx.Err() == nil && !failing {
			w.log.Warn("queue watch cannot read; receivers may wake late", zap.Error(err))
		}
		failing = err != nil
		timer.Reset(pause)
	}
}

// check wakes a receiver of every queue that has a message, and returns when to check again.
func (w *Watch) check(ctx context.Context, v *view) (time.Duration, error) {
	changed, err := v.changed(ctx, w.db.Read())
	if err != nil {
		return watchEvery, err
	}
	pause := watchEvery
	for _, b := range w.all() {
		now, occupied := b.clock()
		if !occupied {
			continue
		}
		if left, known := b.until(now); changed || known && left <= 0 {
			found, next, err := peek(ctx, v.conn, b.queue, now)
			if err != nil {
				return watchEvery, err
			}
			b.expect(next)
			if found {
				b.ring()
			}
		}
		if left, known := b.until(now); known {
			pause = min(pause, max(left, time.Millisecond))
		}
	}
	return pause, nil
}

// view is a connection that notices commits of all others.
type view struct {
	conn    *sql.Conn
	version int64
}

// changed reports whether another connection, of this or another process, has
// committed since the last call; true the first time
// (https://www.sqlite.org/pragma.html#pragma_data_version).
func (v *view) changed(ctx context.Context, pool *sql.DB) (bool, error) {
	if v.conn == nil {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return false, err
		}
		v.conn = conn
	}
	var version int64
	if err := v.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		v.close()
		return false, err
	}
	changed := version != v.version
	v.version = version
	return changed, nil
}

// close gives the connection back; the pool closes it if it is broken.
func (v *view) close() {
	if v.conn != nil {
		_ = v.conn.Close()
	}
	*v = view{}
}

// peek reports whether the queue has a message that may be received at the given
// time, and when the next one comes due after it: 0 when none does.
func peek(ctx context.Context, db rows.Querier, queue, now int64) (found bool, next int64, err error) {
	const query = `SELECT
		EXISTS (SELECT 1 FROM message INDEXED BY message_ready WHERE queue = ? AND state = 0)
		OR EXISTS (SELECT 1 FROM message INDEXED BY message_due WHERE queue = ? AND state > 0 AND due <= ?),
		(SELECT due FROM message INDEXED BY message_due WHERE queue = ? AND state > 0 AND due > ? ORDER BY due LIMIT 1)`
	var due sql.NullInt64
	if err := db.QueryRowContext(ctx, query, queue, queue, now, queue, now).Scan(&found, &due); err != nil {
		return false, 0, err
	}
	return found, due.Int64, nil
}
