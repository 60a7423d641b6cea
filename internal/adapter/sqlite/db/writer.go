package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
	"github.com/belfry-push/belfry/internal/push"
)

const (
	// maxGroup and maxGroupTime bound one transaction, so that other processes
	// get their turn and the first of a group does not wait long for the last.
	maxGroup     = 512
	maxGroupTime = 10 * time.Millisecond

	// guardFor is how many transactions have savepoints after a request failed.
	guardFor = 32
)

// ErrClosed is what a write gets after close.
var ErrClosed = push.WithOutage(push.OutageClosing, errors.New("database is closed"))

// writer is the one goroutine of the process that writes a file. Whatever asks
// while a transaction is being committed shares the next one: no artificial
// wait when idle, and one sync of the disk for hundreds of writes under load.
type writer struct {
	path  string  // of the file
	conn  *sql.DB // of exactly one connection
	turn  *lock.Fair
	spare int64 // free pages that tidy leaves
	log   *zap.Logger
	took  prometheus.Histogram // a write, in seconds

	moves  *os.File // whose lock is the turn at moving the log
	moveAt int      // pages written at which the log is moved
	stuck  bool     // the last move failed

	mu       sync.Mutex
	waiting  [lanes][]*request
	ranLater time.Time // when a group of the later lane ran last
	closed   bool

	guard int // so many groups more run each request in a savepoint

	wake   chan struct{} // holds one token when something was put into waiting
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended

	unsettled error // why the mark could not be settled, once it has ended
}

// do hands a request to the writer and waits for its outcome.
func (w *writer) do(ctx context.Context, l lane, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.result = make(chan error, 1)
	err := w.put(l, r)
	if err != nil {
		return err
	}
	w.notify()
	begun := time.Now()
	defer func() { w.took.Observe(time.Since(begun).Seconds()) }()
	select {
	case err = <-r.result:
	case <-ctx.Done():
		if r.claim() {
			return ctx.Err() // the writer will skip it
		}
		err = <-r.result
	}
	if p, ok := errors.AsType[*panicked](err); ok {
		panic(p.value) // where it belongs: on f's own goroutine
	}
	return err
}

func (w *writer) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run commits group after group until ctx ends, then refuses what is left.
func (w *writer) run(ctx context.Context) {
	defer close(w.done)
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for {
		select {
		case <-w.wake:
			// Who woke it is often the first of many that the last commit let go on. The scheduler runs the writer before
			// them, and a transaction for each would cost more than their writes do.
			runtime.Gosched()
			w.group(ctx)
			w.moveLongLog(ctx)
		case <-tidy.C:
			w.tidy(ctx)
			w.moveLongLog(ctx)
		case <-ctx.Done():
			w.mu.Lock()
			w.closed = true
			w.mu.Unlock()
			answer(w.takeAll(), ErrClosed)
			w.unsettled = w.settleMark(context.WithoutCancel(ctx))
			return
		}
	}
}

// group runs what waits in a lane in one transaction.
func (w *writer) group(ctx context.Context) {
	if !w.occupied(laneSoon) && !w.occupied(laneLater) {
		return // an earlier group took along what it was woken for
	}
	tx, err := w.admit(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = ErrClosed
		}
		answer(w.takeAll(), err)
		return
	}
	// The requests are collected only now, so that those that came while another process had the
	// lock are included.
	l, group := w.take()
	if w.occupied(lanes - 1 - l) {
		w.notify()
	}
	if len(group) == 1 && group[0].claim() {
		group[0].result <- w.alone(ctx, tx, group[0])
		return
	}
	ran := make([]*request, 0, len(group))
	start := time.Now()
	for i, r := range group {
		if !w.hasTurn(l, len(ran), start) {
			w.requeue(l, group[i:])
			break
		}
		if !r.claim() {
			continue
		}
		ran = append(ran, r)
		if r.err = w.one(ctx, tx, r); r.err != nil && w.gone(r.err) {
			rollback(tx)
			w.requeue(l, group[i+1:])
			w.again(ctx, ran)
			return
		}
	}
	w.guard = max(0, w.guard-1)
	w.end(ctx, tx, ran)
}

// end commits what ran in a transaction. The caller of a failed f also waits for the commit: f may
// have failed because of another request in the same transaction.
func (w *writer) end(ctx context.Context, tx *sql.Tx, ran []*request) {
	durable, err := tails(ctx, tx, ran)
	if err != nil { // some of them have it to bear, and the others not
		rollback(tx)
		w.again(ctx, ran)
		return
	}
	if err := finish(tx, nil); err != nil {
		answer(ran, err)
		return
	}
	durable()
	for _, r := range ran {
		r.result <- r.err
	}
}

// one runs a request in a shared transaction.
func (w *writer) one(ctx context.Context, tx *sql.Tx, r *request) error {
	if w.guard > 0 {
		return inSavepoint(ctx, tx, r.f)
	}
	return call(tx, r.f)
}

// gone reports whether the transaction cannot go on after a request's error: without a savepoint
// what the request has done cannot be undone alone.
func (w *writer) gone(err error) bool { return w.guard == 0 || errors.Is(err, errRolledBack) }

// again runs requests after one of them made the transaction that they shared fail: in one that has
// savepoints or, if that failed, one by one. Requests seldom fail, and savepoints cost as much as the
// small ones do themselves.
func (w *writer) again(ctx context.Context, requests []*request) {
	if w.guard > 0 {
		w.runSeparately(ctx, requests)
		return
	}
	w.guard = guardFor
	tx, err := w.admit(ctx)
	if err != nil {
		answer(requests, err)
		return
	}
	for _, r := range requests {
		if r.err = w.one(ctx, tx, r); r.err != nil && w.gone(r.err) {
			rollback(tx)
			w.runSeparately(ctx, requests)
			return
		}
	}
	w.end(ctx, tx, requests)
}

// runSeparately runs requests one by one, after one of them made the transaction that they shared
// fail.
func (w *writer) runSeparately(ctx context.Context, requests []*request) {
	for _, r := range requests {
		tx, err := w.admit(ctx)
		if err != nil {
			r.result <- err
			continue
		}
		r.result <- w.alone(ctx, tx, r)
	}
}

// alone runs a request in a transaction of its own.
func (w *writer) alone(ctx context.Context, tx *sql.Tx, r *request) error {
	err, durable := call(tx, r.f), func() {}
	if r.err = err; err == nil {
		durable, err = tails(ctx, tx, []*request{r})
	}
	if err = finish(tx, err); err == nil {
		durable()
	}
	return err
}

// finish commits, or rolls back for the sake of err.
func finish(tx *sql.Tx, err error) error {
	if err != nil {
		rollback(tx)
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// admit begins a transaction for the callers. It begins none on a file that was removed: SQLite
// would go on writing to a file that nobody can open any more, and acknowledged writes would be
// lost with this process.
func (w *writer) admit(ctx context.Context) (*sql.Tx, error) {
	if err := checkThere(w.path); err != nil {
		return nil, err
	}
	return w.begin(ctx)
}

// begin opens a transaction that holds the file's write lock.
func (w *writer) begin(ctx context.Context) (*sql.Tx, error) {
	var tx *sql.Tx
	err := w.turn.Pass(ctx, func() (err error) {
		// The transaction outlives ctx: close lets it finish.
		tx, err = w.conn.BeginTx(context.WithoutCancel(ctx), nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return tx, nil
}

// answer ends requests with an error. Nobody receives the error of a request that its caller gave
// up; its buffered channel takes it.
func answer(requests []*request, err error) {
	for _, r := range requests {
		r.result <- err
	}
}

// close ends the writer after the transaction that is running.
func (w *writer) close() error {
	w.cancel()
	<-w.done
	return errors.Join(w.unsettled, w.conn.Close(), w.turn.Close(), w.moves.Close())
}

// errRolledBack means that a transaction cannot continue because SQLite rolled it back itself, as
// it does when the disk is full (https://www.sqlite.org/lang_transaction.html).
var errRolledBack = errors.New("shared transaction is gone")

// inSavepoint runs f under its own savepoint, so that its failure leaves the others
// in the transaction as they were.
func inSavepoint(ctx context.Context, tx *sql.Tx, f func(tx *sql.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return errors.Join(errRolledBack, err)
	}
	err := call(tx, f)
	if err != nil {
		if _, undo := tx.ExecContext(ctx, "ROLLBACK TO one"); undo != nil {
			return errors.Join(errRolledBack, undo)
		}
	}
	if _, undo := tx.ExecContext(ctx, "RELEASE one"); undo != nil {
		return errors.Join(errRolledBack, undo)
	}
	return err
}

// panicked carries a panic of f to the goroutine that asked for f.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprint("panic in a write: ", p.value) }

func call(tx *sql.Tx, f func(tx *sql.Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v}
		}
	}()
	return f(tx)
}

// rollback ends a failed transaction. It drops the error of the rollback, which would only repeat
// the first one; the connection is checked before it is used again.
func rollback(tx *sql.Tx) {
	_ = tx.Rollback()
}
