package queue

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/worker"
)

// Limits stand in the statements as literals: SQLite prepares a statement anew
// whenever the argument of a LIMIT is bound, which costs ten times the query.
const (
	// promoteMost bounds how many messages that came due one receive makes ready,
	// and with that the time of its transaction: a few milliseconds.
	promoteMost = "250"
	// pickMost is worker.MaxBatch.
	pickMost = "10"
)

// taking is one receive within its transaction.
type taking struct {
	ctx   context.Context //nolint:containedctx // lives for one call of run
	tx    *sql.Tx
	queue *Queue
	now   int64 // the queue's time
}

// run picks up to limit messages and marks them as received. It also returns
// how many went to the dead-letter queue instead.
func (t taking) run(limit int) (msgs []worker.Message, redriven int, err error) {
	if err := t.promote(); err != nil {
		return nil, 0, err
	}
	for len(msgs) < limit {
		ids, err := t.pick(limit - len(msgs))
		if err != nil {
			return nil, 0, err
		}
		if len(ids) == 0 {
			break
		}
		got, err := t.mark(ids)
		if err != nil {
			return nil, 0, err
		}
		msgs = append(msgs, got...)
		if len(got) == len(ids) {
			break // short of limit only because there is no more
		}
		n, err := t.redrive(ids, got)
		if err != nil {
			return nil, 0, err
		}
		redriven += n
	}
	if len(msgs) > 0 {
		err = t.queue.time.reach(t.ctx, t.tx, t.now)
	}
	return msgs, redriven, err
}

// promote makes messages ready whose delay or visibility timeout is over.
func (t taking) promote() error {
	const update = `UPDATE message SET state = 0 WHERE id IN (
		SELECT id FROM message INDEXED BY message_due
		WHERE queue = ? AND state > 0 AND due <= ? ORDER BY due LIMIT ` + promoteMost + `)`
	_, err := t.tx.ExecContext(t.ctx, update, t.queue.id, t.now)
	return err
}

// pick chooses up to limit ready messages: one of each group in rotation, and
// while groups are fewer than limit, more of each. It costs a seek per group it
// touches, however many groups or messages there are.
func (t taking) pick(limit int) ([]int64, error) {
	heads, err := t.heads(limit)
	if err != nil || len(heads) == 0 {
		return nil, err
	}
	if len(heads) == limit {
		t.queue.cursor = heads[limit-1].group
		ids := make([]int64, limit)
		for i, h := range heads {
			ids[i] = h.id
		}
		return ids, nil
	}
	// These are all groups there are. The last one stays the last: whoever is
	// first in turn gets the odd message more, and is the next one next time.
	lists := make([][]int64, len(heads))
	for i, h := range heads {
		if lists[i], err = t.group(h.group); err != nil {
			return nil, err
		}
	}
	ids := make([]int64, 0, limit)
	for row := 0; len(ids) < limit; row++ {
		before := len(ids)
		for i, list := range lists {
			if row < len(list) && len(ids) < limit {
				ids = append(ids, list[row])
				t.queue.cursor = heads[i].group
			}
		}
		if len(ids) == before {
			break
		}
	}
	return ids, nil
}

// head is the first ready message of a group.
type head struct {
	group string
	id    int64
}

// heads returns the next groups in turn, up to limit of them, each once.
func (t taking) heads(limit int) ([]head, error) {
	const after = `SELECT grp, id FROM message INDEXED BY message_ready
		WHERE queue = ? AND state = 0 AND grp > ? ORDER BY grp, id LIMIT 1`
	const first = `SELECT grp, id FROM message INDEXED BY message_ready
		WHERE queue = ? AND state = 0 ORDER BY grp, id LIMIT 1`
	start := t.queue.cursor
	heads := make([]head, 0, limit)
	wrapped := false
	for at := start; len(heads) < limit; {
		var h head
		scan := func(row rows.Scanner) error { return row.Scan(&h.group, &h.id) }
		err := rows.One(t.ctx, t.tx, scan, after, t.queue.id, at)
		if errors.Is(err, sql.ErrNoRows) && !wrapped {
			wrapped = true
			err = rows.One(t.ctx, t.tx, scan, first, t.queue.id)
		}
		if errors.Is(err, sql.ErrNoRows) || err == nil && wrapped && h.group > start {
			break // once around
		}
		if err != nil {
			return nil, err
		}
		heads = append(heads, h)
		at = h.group
	}
	return heads, nil
}

// group returns the first ready messages of a group.
func (t taking) group(name string) ([]int64, error) {
	const query = `SELECT id FROM message INDEXED BY message_ready
		WHERE queue = ? AND state = 0 AND grp = ? ORDER BY id LIMIT ` + pickMost
	return rows.Collect(t.ctx, t.tx, func(row rows.Scanner) (id int64, err error) {
		return id, row.Scan(&id)
	}, query, t.queue.id, name)
}

// tenIDs are the arguments of a list of worker.MaxBatch placeholders, so that
// one prepared statement serves every size; no message has the id 0.
func tenIDs(before []any, ids []int64) []any {
	args := make([]any, len(before), len(before)+worker.MaxBatch)
	copy(args, before)
	for i := range worker.MaxBatch {
		id := int64(0)
		if i < len(ids) {
			id = ids[i]
		}
		args = append(args, id)
	}
	return args
}

// mark makes messages invisible and returns them in the order of ids, without
// those that were received as often as they may be.
func (t taking) mark(ids []int64) ([]worker.Message, error) {
	const update = `UPDATE message SET state = 1, receives = receives + 1, due = ?, received_at = ?
		WHERE receives < ? AND id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING id, grp, receives, sent_at, (SELECT data FROM body WHERE body.id = message.id)`
	most := int64(math.MaxInt64)
	if n := t.queue.cfg.MaxReceives; n > 0 {
		most = int64(n)
	}
	due := t.now + t.queue.cfg.Visibility.Milliseconds()
	got := make(map[int64]worker.Message, len(ids))
	err := rows.Each(t.ctx, t.tx, func(row rows.Scanner) error {
		var m worker.Message
		var id, sentAt int64
		if err := row.Scan(&id, &m.Group, &m.Receives, &sentAt, (*rows.Owned)(&m.Body)); err != nil {
			return err
		}
		m.ID = formatID(id)
		m.Receipt = receipt{id: id, receives: m.Receives}.String()
		m.SentAt = time.UnixMilli(sentAt)
		got[id] = m
		return nil
	}, update, tenIDs([]any{due, t.now, most}, ids)...)
	if err != nil {
		return nil, err
	}
	msgs := make([]worker.Message, 0, len(got))
	for _, id := range ids {
		if m, ok := got[id]; ok {
			msgs = append(msgs, m)
		}
	}
	return msgs, nil
}

// redrive moves the messages among ids that were not received to the
// dead-letter queue. They keep id, body, group, the time they were sent and how
// often they were received, as with SQS.
func (t taking) redrive(ids []int64, got []worker.Message) (int, error) {
	spent := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return slices.ContainsFunc(got, func(m worker.Message) bool { return m.ID == formatID(id) })
	})
	const update = `UPDATE message SET queue = ?, state = 0, due = ?, received_at = 0
		WHERE id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := t.tx.ExecContext(t.ctx, update, tenIDs([]any{t.queue.dead.queue, t.now}, spent)...)
	return len(spent), err
}
