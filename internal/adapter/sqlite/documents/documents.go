package documents

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of configuration documents. It is safe for concurrent use;
// every write is durable when it returns.
type Store struct {
	file *db.DB
}

// New returns the driver on a file that has the tables of [Schema].
func New(file *db.DB) *Store { return &Store{file: file} }

const selectDocument = `SELECT kind, name, version, updated_at, body FROM document `

// Document returns one document, or push.ErrNotFound.
func (s *Store) Document(ctx context.Context, kind, name string) (document.Document, error) {
	d, err := scanDocument(s.file.Read().QueryRowContext(ctx, selectDocument+`WHERE kind = ? AND name = ?`, kind, name))
	if err != nil {
		return document.Document{}, fmt.Errorf("%s %q: %w", kind, name, rows.Found(err))
	}
	return d, nil
}

// PutDocument stores d if the stored version is d.Version-1 (0: absent), else
// push.ErrConflict.
func (s *Store) PutDocument(ctx context.Context, d document.Document) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		query := `UPDATE document SET version = ?, updated_at = ?, body = ? WHERE kind = ? AND name = ? AND version = ?`
		args := []any{d.Version, rows.Micros(d.UpdatedAt), rows.Blob(d.Body), d.Kind, d.Name, d.Version - 1}
		if d.Version == 1 {
			query = `INSERT INTO document (version, updated_at, body, kind, name) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
			args = args[:len(args)-1]
		}
		ok, err := rows.Changed(tx.ExecContext(ctx, query, args...))
		if err == nil && !ok {
			return push.ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("put version %d of %s %q: %w", d.Version, d.Kind, d.Name, err)
	}
	return nil
}

// DeleteDocument removes it if the stored version is version, else
// push.ErrConflict; push.ErrNotFound when absent.
func (s *Store) DeleteDocument(ctx context.Context, kind, name string, version int64) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		ok, err := rows.Changed(tx.ExecContext(ctx, `DELETE FROM document WHERE kind = ? AND name = ? AND version = ?`, kind, name, version))
		if err != nil || ok {
			return err
		}
		var stored int64
		if err := tx.QueryRowContext(ctx, `SELECT version FROM document WHERE kind = ? AND name = ?`, kind, name).Scan(&stored); err != nil {
			return rows.Found(err)
		}
		return push.ErrConflict
	})
	if err != nil {
		return fmt.Errorf("delete version %d of %s %q: %w", version, kind, name, err)
	}
	return nil
}

// Documents lists a kind by name.
func (s *Store) Documents(ctx context.Context, kind, after string, limit int) ([]document.Document, string, error) {
	const listing = "documents"
	limit = rows.Limit(limit)
	place, err := rows.CursorFields(listing, after, 1)
	if err != nil {
		return nil, "", err
	}
	from := ""
	if place != nil {
		from = place[0]
	}
	all, err := rows.Collect(ctx, s.file.Read(), scanDocument,
		selectDocument+`WHERE kind = ? AND name > ? ORDER BY name LIMIT ?`, kind, from, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list %s documents: %w", kind, err)
	}
	page, next := rows.Cut(all, limit, func(d *document.Document) string { return rows.Cursor(listing, d.Name) })
	return page, next, nil
}

func scanDocument(row rows.Scanner) (document.Document, error) {
	var d document.Document
	var updated int64
	err := row.Scan(&d.Kind, &d.Name, &d.Version, &updated, &d.Body)
	d.UpdatedAt = rows.FromMicros(updated)
	return d, err
}
