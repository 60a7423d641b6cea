package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of the notification ledger, the device registry,
// idempotency records, configuration documents and upload pages. It is safe for
// concurrent use; every write is durable when it returns.
type Store struct {
	main  *db // all but pages
	pages *db // apart, so that megabytes of upload do not stand before a ledger line
}

func newStore(main, pages *db) *Store { return &Store{main: main, pages: pages} }

// maxList bounds a page of every listing.
const maxList = 1000

func listLimit(limit int) int { return min(max(limit, 1), maxList) }

// querier is what the reading pool and a writing transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is what one row and the current one of many have in common.
type scanner interface {
	Scan(dest ...any) error
}

// collect runs a query and turns every row into a T.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	err := each(ctx, q, func(row scanner) error {
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

// each runs a query and calls visit for every row.
func each(ctx context.Context, q querier, visit func(scanner) error, query string, args ...any) error {
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

// found turns database/sql's word for "no row" into the ports' own.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return push.ErrNotFound
	}
	return err
}

// changed tells whether a statement changed any row.
func changed(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("rows affected: %w", err)
	}
	return n > 0, nil
}

// micros is how times are stored: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
