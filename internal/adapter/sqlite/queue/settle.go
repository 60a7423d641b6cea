package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Delete implements worker.Queue. As with SQS, the receipt of a message that
// was received again since deletes nothing and is no error; one that is not
// this queue's at all is reported with push.ErrNotFound.
func (q *Queue) Delete(ctx context.Context, msgs []worker.Message) error {
	receipts, failed, err := parseReceipts(msgs)
	if err != nil {
		return q.fail("delete", err)
	}
	if len(failed) == len(msgs) {
		return worker.Partly(failed)
	}
	err = q.db.Write(ctx, func(tx *sql.Tx) error {
		for _, r := range receipts {
			const remove = `DELETE FROM message WHERE id = ? AND queue = ? AND receives = ?`
			res, err := tx.ExecContext(ctx, remove, r.id, q.id, r.receives)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return err
				}
				continue
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM body WHERE id = ?`, r.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return q.fail("delete", err)
	}
	return worker.Partly(failed)
}

// Extend implements worker.Queue.
func (q *Queue) Extend(ctx context.Context, msgs []worker.Message, visibility time.Duration) error {
	if err := worker.CheckVisibility(visibility); err != nil {
		return q.fail("extend", err)
	}
	receipts, garbage, err := parseReceipts(msgs)
	if err != nil {
		return q.fail("extend", err)
	}
	if len(garbage) == len(msgs) {
		return worker.Partly(garbage)
	}
	var failed map[int]error
	err = q.db.Write(ctx, func(tx *sql.Tx) error {
		now, err := q.time.within(ctx, tx, q.id)
		if err != nil {
			return err
		}
		if err := q.time.reach(ctx, tx, now); err != nil {
			return err
		}
		failed = maps.Clone(garbage)
		for i, r := range receipts {
			refused, err := q.extend(ctx, tx, r, now, visibility)
			if err != nil {
				return err
			}
			if refused != nil {
				failed[i] = refused
			}
		}
		return nil
	})
	if err != nil {
		return q.fail("extend", err)
	}
	if visibility == 0 {
		q.bell.ring()
	}
	return worker.Partly(failed)
}

// extend changes one message; refused says why it may not be.
func (q *Queue) extend(ctx context.Context, tx *sql.Tx, r receipt, now int64, visibility time.Duration) (refused, err error) {
	state := stateInFlight
	if visibility == 0 {
		state = stateReady
	}
	due := now + visibility.Milliseconds()
	const update = `UPDATE message SET state = ?, due = ? WHERE id = ? AND queue = ? AND receives = ? AND received_at >= ?`
	res, err := tx.ExecContext(ctx, update, state, due, r.id, q.id, r.receives, due-worker.MaxVisibility.Milliseconds())
	if err != nil {
		return nil, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 1 {
		return nil, err
	}
	var receivedAt int64
	const query = `SELECT received_at FROM message WHERE id = ? AND queue = ? AND receives = ?`
	switch err := tx.QueryRowContext(ctx, query, r.id, q.id, r.receives).Scan(&receivedAt); {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("receipt: the message was deleted or received again: %w", push.ErrNotFound), nil
	case err != nil:
		return nil, err
	default:
		held := (time.Duration(now-receivedAt) * time.Millisecond).Round(time.Second)
		return fmt.Errorf("visibility: must be at most %v in total from the receive (got %v after %v)",
			worker.MaxVisibility, visibility, held), nil
	}
}

// parseReceipts returns the receipts by position, and the positions of those
// that are none.
func parseReceipts(msgs []worker.Message) (map[int]receipt, map[int]error, error) {
	if err := worker.CheckBatch(len(msgs)); err != nil {
		return nil, nil, err
	}
	receipts, failed := map[int]receipt{}, map[int]error{}
	for i, m := range msgs {
		r, err := parseReceipt(m.Receipt)
		if err != nil {
			failed[i] = err
			continue
		}
		receipts[i] = r
	}
	return receipts, failed, nil
}
