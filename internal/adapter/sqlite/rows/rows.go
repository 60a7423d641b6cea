package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// maxList bounds a page of every listing.
const maxList = 1000

// Limit is how many rows a page has, of those that were asked for: 1 to maxList.
func Limit(limit int) int { return min(max(limit, 1), maxList) }

// Querier is what the reading pool and a writing transaction have in common.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Scanner is what one row and the current one of many have in common.
type Scanner interface {
	Scan(dest ...any) error
}

// Collect runs a query and turns every row into a T.
func Collect[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	err := Each(ctx, q, func(row Scanner) error {
		v, err := scan(row)
		if err != nil {
			return err
		}
		out = append(out, v)
		return nil
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Each runs a query and calls visit for every row.
func Each(ctx context.Context, q Querier, visit func(Scanner) error, query string, args ...any) error {
	if _, writes := q.(*sql.Tx); writes && ctx.Err() == nil {
		ctx = context.WithoutCancel(ctx) // a statement of a transaction that others share is never interrupted, see One
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err below has what went wrong
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// One runs a query of one row, found by its key, and has scan read it; sql.ErrNoRows if there is none. It is one of the
// short queries, see [Short].
func One(ctx context.Context, q Querier, scan func(Scanner) error, query string, args ...any) error {
	return Short(ctx, q, func(ctx context.Context, q Querier) error { return scan(q.QueryRowContext(ctx, query, args...)) })
}

// Short runs a query that is over before anybody could have it interrupted: of one row, or some, by their keys. A ctx that
// ends ends the wait for a connection and not the query: for that, database/sql and the driver would start a goroutine each,
// which costs about what the query does.
func Short(ctx context.Context, q Querier, query func(context.Context, Querier) error) error {
	if pool, ok := q.(*sql.DB); ok {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }() // gives it back
		q = conn
	}
	return query(context.WithoutCancel(ctx), q)
}

// Found turns database/sql's word for "no row" into the ports' own.
func Found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return push.ErrNotFound
	}
	return err
}

// Changed reports whether a statement changed any row.
func Changed(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("rows affected: %w", err)
	}
	return n > 0, nil
}

// Micros is how times are stored: microseconds since 1970, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the time of which micros is the number, in UTC.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Owned is where a large column of bytes is scanned to without the copy that
// database/sql makes of it: the driver hands out a slice of its own for every row
// (a test holds it to that).
type Owned []byte

// Scan implements sql.Scanner.
func (o *Owned) Scan(column any) error {
	switch v := column.(type) {
	case []byte:
		*o = v
	case string:
		*o = Owned(v)
	case nil:
		*o = nil
	default:
		return fmt.Errorf("a column of %T is not bytes", column)
	}
	return nil
}

// Blob keeps an empty body from becoming NULL.
func Blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
