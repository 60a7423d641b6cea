package queue

import (
	"context"
	"database/sql"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/worker"
)

// Receive implements worker.Queue. A waiting call wakes at once when this
// process sends or a message comes due, and within watchEvery when another
// process sends.
func (q *Queue) Receive(ctx context.Context, limit int, wait time.Duration) ([]worker.Message, error) {
	if err := worker.CheckReceive(limit, wait); err != nil {
		return nil, q.fail("receive", err)
	}
	msgs, err := q.take(ctx, limit)
	if err != nil || len(msgs) > 0 || wait == 0 {
		return msgs, q.fail("receive", err)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		msgs, err := q.await(ctx, limit, timer.C)
		if err != nil {
			return nil, q.fail("receive", err)
		}
		if msgs != nil {
			return msgs, nil
		}
	}
}

// await waits until there may be something and tries to take it. It returns nil
// when another receiver was faster, and an empty list when the time is over.
func (q *Queue) await(ctx context.Context, limit int, over <-chan time.Time) ([]worker.Message, error) {
	// Join first, look then: nothing that is sent in between goes unnoticed.
	w := q.watch.join(q.bell, q.time.read) //nolint:contextcheck // what it starts serves other receivers too
	defer q.watch.leave(q.bell, w)
	found, err := q.hasMessage(ctx)
	if err != nil {
		return nil, err
	}
	if !found {
		select {
		case <-w.rung:
		case <-over:
			return []worker.Message{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.watch.closed:
			return nil, db.ErrClosed
		}
	}
	msgs, err := q.take(ctx, limit)
	if err != nil {
		q.bell.ring() // let another one try
		return nil, err
	}
	if len(msgs) == 0 {
		return nil, nil
	}
	return msgs, nil
}

// hasMessage reports whether a receive would find a message, without taking the write lock.
func (q *Queue) hasMessage(ctx context.Context) (bool, error) {
	found, next, err := peek(ctx, q.db.Read(), q.id, q.time.read())
	if err == nil {
		q.bell.expect(next)
	}
	return found, err
}

// take receives what is visible now.
func (q *Queue) take(ctx context.Context, limit int) ([]worker.Message, error) {
	var msgs []worker.Message
	var redriven int
	err := q.db.Write(ctx, func(tx *sql.Tx) error {
		now, err := q.time.within(ctx, tx, q.id)
		if err != nil {
			return err
		}
		t := taking{ctx: ctx, tx: tx, queue: q, now: now}
		msgs, redriven, err = t.run(limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	if redriven > 0 {
		q.dead.ring()
	}
	if len(msgs) == limit {
		q.bell.ring() // there may be more
	}
	return msgs, nil
}
