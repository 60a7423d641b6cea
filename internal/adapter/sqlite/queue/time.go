package queue

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// timeline is the time by which a queue's messages come due: milliseconds since
// 1970, as long as nobody sets the wall clock. When somebody does, or the machine
// sleeps, it goes on as if nothing had happened: a delay or a visibility timeout
// lasts as long as was asked for.
//
// Within a process it runs with the monotonic clock. Processes on one directory
// agree on it by the row of queue_time: how far it is from the wall clock, and
// how far it has come. Whoever notices that the wall clock moved against it
// stores the new distance, and whoever opens the queue takes the stored one. So
// it does not fall behind what was stored either, when no process was there to
// notice.
type timeline struct {
	now     func() time.Time
	elapsed func() time.Duration

	mu     sync.Mutex
	base   int64 // when elapsed is 0
	seen   int64 // the distance from the wall clock that the row had last
	looked time.Duration
	kept   int64 // what the row says of how far it has come, at least
}

const (
	// minClockStep is the least difference that counts as a wall clock that was set. Smaller ones
	// come from reading two clocks, and delays are whole seconds.
	minClockStep = 500 // milliseconds
	// agreeEvery is how often a process that works on the queue looks whether
	// another one has noticed a step that it can't know of: one taken before both
	// had the queue open.
	agreeEvery = 2 * time.Second
	// keepEvery is how far the stored time may lag behind. A restart after which
	// the wall clock is wrong goes back by no more.
	keepEvery = 5000 // milliseconds
	// dueSlack is added to the longest possible delay and visibility timeout. A message that is due
	// still later is made due now, whatever the cause.
	dueSlack = 1000 // milliseconds
)

// read returns the time.
func (t *timeline) read() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.base + t.elapsed().Milliseconds()
}

// moved reports whether the wall clock is not where it should be.
func (t *timeline) moved(at, wall int64) bool { return abs(at-wall-t.seen) >= minClockStep }

// open takes up the time where it stands.
func (t *timeline) open(ctx context.Context, tx *sql.Tx) error {
	distance, reached, err := readTime(ctx, tx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.base = max(t.now().UnixMilli()+distance, reached) - t.elapsed().Milliseconds()
	return t.keep(ctx, tx, distance)
}

// within returns the time for a transaction that writes, after agreeing on it
// with the other processes if need be.
func (t *timeline) within(ctx context.Context, tx *sql.Tx, queue int64) (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	passed := t.elapsed()
	at, wall := t.base+passed.Milliseconds(), t.now().UnixMilli()
	if passed-t.looked < agreeEvery && !t.moved(at, wall) {
		return at, nil
	}
	t.looked = passed
	distance, _, err := readTime(ctx, tx)
	if err != nil {
		return 0, err
	}
	if theirs := wall + distance; abs(theirs-at) >= minClockStep && distance != t.seen {
		t.base += theirs - at // another process knows better: it was there before
		at = theirs
	}
	if err := t.keep(ctx, tx, distance); err != nil {
		return 0, err
	}
	return at, rescue(ctx, tx, queue, at)
}

// reach stores how far the time has come, if that is not known well enough. Call
// it in transactions that write anyway.
func (t *timeline) reach(ctx context.Context, tx *sql.Tx, at int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at-t.kept < keepEvery {
		return nil
	}
	t.kept = at
	_, err := tx.ExecContext(ctx, `UPDATE queue_time SET reached = max(reached, ?)`, at)
	return err
}

// keep stores the distance from the wall clock if it is not the stored one. The
// lock is held.
func (t *timeline) keep(ctx context.Context, tx *sql.Tx, stored int64) error {
	t.seen = stored
	at, wall := t.base+t.elapsed().Milliseconds(), t.now().UnixMilli()
	if !t.moved(at, wall) {
		return nil
	}
	// Not noted in seen: should the transaction fail, the row still has the old one.
	_, err := tx.ExecContext(ctx, `UPDATE queue_time SET distance = ?, reached = max(reached, ?)`, at-wall, at)
	return err
}

func readTime(ctx context.Context, tx *sql.Tx) (distance, reached int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT distance, reached FROM queue_time`).Scan(&distance, &reached)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `INSERT INTO queue_time (id, distance, reached) VALUES (1, 0, 0)`)
	}
	return distance, reached, err
}

// rescue makes every message due that would come due later than any delay allows: a file of another
// machine, or of another time, must not hide a message for ever.
func rescue(ctx context.Context, tx *sql.Tx, queue, at int64) error {
	const update = `UPDATE message SET due = ?1 WHERE id IN (
		SELECT id FROM message INDEXED BY message_due
		WHERE queue = ?2 AND state > 0 AND due > ?3 AND (state = 2 OR due > ?4))`
	_, err := tx.ExecContext(ctx, update, at, queue,
		at+worker.MaxDelay.Milliseconds()+dueSlack, at+worker.MaxVisibility.Milliseconds()+dueSlack)
	return err
}

func abs(ms int64) int64 { return max(ms, -ms) }
