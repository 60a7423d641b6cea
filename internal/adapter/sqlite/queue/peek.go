package queue

import (
	"context"
	"database/sql"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
)

// Peek calls visit with the bodies of up to limit messages, visible or not, of one moment and in no
// particular order, and returns how many there were. A body is valid until visit returns.
func (q *Queue) Peek(ctx context.Context, limit int, visit func(body []byte)) (int, error) {
	var n int
	err := rows.Each(ctx, q.db.Read(), func(row rows.Scanner) error {
		var body sql.RawBytes
		if err := row.Scan(&body); err != nil {
			return err
		}
		n++
		visit(body)
		return nil
	}, `SELECT b.data FROM message m INDEXED BY message_ready JOIN body b ON b.id = m.id WHERE m.queue = ?1 AND m.state = 0
		UNION ALL
		SELECT b.data FROM message m INDEXED BY message_due JOIN body b ON b.id = m.id WHERE m.queue = ?1 AND m.state > 0
		LIMIT ?2`, q.id, limit)
	return n, q.fail("peek", err)
}
