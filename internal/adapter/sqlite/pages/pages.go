package pages

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of upload pages. It is safe for concurrent use;
// every write is durable when it returns.
type Store struct {
	file *db.DB
}

// New returns the driver on a file that has the tables of [Schema].
func New(file *db.DB) *Store { return &Store{file: file} }

// deleteAtOnce bounds how many pages, of up to 4 MiB, one transaction removes,
// so that the uploads of others go on in between.
const deleteAtOnce = 16

// PutPage stores data unless the page exists; it returns what is stored now.
func (s *Store) PutPage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) ([]byte, error) {
	var stored []byte
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		created, err := rows.Changed(tx.ExecContext(ctx, `INSERT INTO page (notification, kind, n, data) VALUES (?, ?, ?, ?) ON CONFLICT DO `+
			`NOTHING`,
			id, kind, n, rows.Blob(data)))
		stored = data
		if err == nil && !created {
			stored, err = page(ctx, tx, id, kind, n)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("put %s page %d of %s: %w", kind, n, id, err)
	}
	return stored, nil
}

// Page returns a page, or push.ErrNotFound.
func (s *Store) Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error) {
	data, err := page(ctx, s.file.Read(), id, kind, n)
	if err != nil {
		return nil, fmt.Errorf("%s page %d of %s: %w", kind, n, id, err)
	}
	return data, nil
}

func page(ctx context.Context, q rows.Querier, id push.ID, kind push.PageKind, n int) ([]byte, error) {
	var data rows.Owned
	err := q.QueryRowContext(ctx, `SELECT data FROM page WHERE notification = ? AND kind = ? AND n = ?`, id, kind, n).Scan(&data)
	return data, rows.Found(err)
}

// DeletePages removes all pages of a notification. One that fails half-way has
// removed some and is simply repeated.
func (s *Store) DeletePages(ctx context.Context, id push.ID) error {
	for {
		var more bool
		err := s.file.Write(ctx, func(tx *sql.Tx) error {
			var err error
			more, err = rows.Changed(tx.ExecContext(ctx, `DELETE FROM page WHERE rowid IN (SELECT rowid FROM page WHERE notification = ? LIMIT ?)`,
				id, deleteAtOnce))
			return err
		})
		if err != nil {
			return fmt.Errorf("delete the pages of %s: %w", id, err)
		}
		if !more {
			return nil
		}
	}
}

// PageOwners lists, behind a place, up to limit pages in the order in which they were
// stored, by their notifications; next is the place of the last, 0 if there was none.
func (s *Store) PageOwners(ctx context.Context, after int64, limit int) (owners []push.ID, next int64, err error) {
	err = rows.Each(ctx, s.file.Read(), func(row rows.Scanner) error {
		var id push.ID
		if err := row.Scan(&next, &id); err != nil {
			return err
		}
		owners = append(owners, id)
		return nil
	}, `SELECT rowid, notification FROM page WHERE rowid > ? ORDER BY rowid LIMIT ?`, after, rows.Limit(limit))
	if err != nil {
		return nil, 0, fmt.Errorf("list old pages: %w", err)
	}
	return owners, next, nil
}

// RemovePages removes up to limit pages of a notification, and returns how many. Without any
// it writes nothing.
func (s *Store) RemovePages(ctx context.Context, id push.ID, limit int) (int, error) {
	var some bool
	err := s.file.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM page WHERE notification = ?)`, id).Scan(&some)
	n := 0
	if err == nil && some {
		n, err = s.file.DeleteRows(ctx, `DELETE FROM page WHERE rowid IN (SELECT rowid FROM page WHERE notification = ? LIMIT ?)`, id, limit)
	}
	if err != nil {
		return 0, fmt.Errorf("remove pages of %s: %w", id, err)
	}
	return n, nil
}

// ReplacePage stores other data in place of a page's, or returns push.ErrNotFound.
func (s *Store) ReplacePage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		there, err := rows.Changed(tx.ExecContext(ctx, `UPDATE page SET data = ? WHERE notification = ? AND kind = ? AND n = ?`,
			rows.Blob(data), id, kind, n))
		if err == nil && !there {
			return push.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("replace %s page %d of %s: %w", kind, n, id, err)
	}
	return nil
}
