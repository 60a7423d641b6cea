package queue

import (
	"context"
	"database/sql"

	"github.com/belfry-push/belfry/internal/worker"
)

// bulkBytes is what a send may have to go along with heartbeats and receives. More is a
// batch being cut into chunks, ten messages of 60 KB a call, which can wait for them.
const bulkBytes = 64 << 10

func bytesOf(msgs []worker.Outgoing) (n int) {
	for i := range msgs {
		n += len(msgs[i].Body)
	}
	return n
}

// Send implements worker.Sink.
func (q *Queue) Send(ctx context.Context, msgs []worker.Outgoing) error {
	failed, err := worker.CheckOutgoing(msgs)
	if err != nil {
		return q.fail("send", err)
	}
	if len(failed) == len(msgs) {
		return worker.Partly(failed)
	}
	write := q.db.Write
	if bytesOf(msgs) > bulkBytes {
		write = q.db.WriteLater
	}
	err = write(ctx, func(tx *sql.Tx) error {
		now, err := q.time.within(ctx, tx, q.id)
		if err != nil {
			return err
		}
		if err := q.time.reach(ctx, tx, now); err != nil {
			return err
		}
		sentAt := q.cfg.Now().UnixMilli()
		for i, m := range msgs {
			if failed[i] != nil {
				continue
			}
			state := stateReady
			if m.Delay > 0 {
				state = stateDelayed
			}
			const insert = `INSERT INTO message (queue, grp, state, due, receives, sent_at, received_at) VALUES (?, ?, ?, ?, 0, ?, 0)`
			res, err := tx.ExecContext(ctx, insert, q.id, m.Group, state, now+m.Delay.Milliseconds(), sentAt)
			if err != nil {
				return err
			}
			id, err := res.LastInsertId()
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO body (id, data) VALUES (?, ?)`, id, m.Body); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return q.fail("send", err)
	}
	q.bell.ring()
	return worker.Partly(failed)
}
