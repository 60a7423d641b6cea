package idempotency

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of idempotency records. It is safe for concurrent use;
// every write is durable when it returns.
type Store struct {
	file *db.DB
}

// New returns the driver on a file that has the tables of [Schema].
func New(file *db.DB) *Store { return &Store{file: file} }

// Reserve stores r unless a live record exists under its tenant and key; it
// returns what is stored now and whether this call stored it.
func (s *Store) Reserve(ctx context.Context, r idempotency.Record, now time.Time) (idempotency.Record, bool, error) {
	var stored idempotency.Record
	var reserved bool
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `
			INSERT INTO idempotency (tenant, key, fingerprint, holder, lease_until, expires_at, done, status, body)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, key) DO UPDATE SET
				fingerprint = excluded.fingerprint, holder = excluded.holder, lease_until = excluded.lease_until,
				expires_at = excluded.expires_at, done = excluded.done, status = excluded.status, body = excluded.body
			WHERE expires_at <= ? OR (done = 0 AND lease_until <= ?)`,
			r.Tenant, r.Key, r.Fingerprint, r.Holder, rows.Micros(r.LeaseUntil), rows.Micros(r.ExpiresAt), r.Done, r.Status, rows.Blob(r.Body),
			rows.Micros(now), rows.Micros(now))
		if reserved, err = rows.Changed(result, err); err != nil {
			return err
		}
		stored = r
		if !reserved {
			stored, err = scanRecord(tx.QueryRowContext(ctx, `SELECT tenant, key, fingerprint, holder, lease_until, expires_at, done, status, body
				FROM idempotency WHERE tenant = ? AND key = ?`, r.Tenant, r.Key))
		}
		return err
	})
	if err != nil {
		return idempotency.Record{}, false, fmt.Errorf("reserve an idempotency key: %w", err)
	}
	return stored, reserved, nil
}

// Complete stores the answer if the holder still holds the key, else
// push.ErrConflict. The lease's end does not matter while nobody took over.
func (s *Store) Complete(ctx context.Context, r idempotency.Record) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		ok, err := rows.Changed(tx.ExecContext(ctx, `UPDATE idempotency SET done = 1, status = ?, body = ?, expires_at = ?
			WHERE tenant = ? AND key = ? AND holder = ?`,
			r.Status, rows.Blob(r.Body), rows.Micros(r.ExpiresAt), r.Tenant, r.Key, r.Holder))
		if err == nil && !ok {
			return push.ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("complete an idempotency key: %w", err)
	}
	return nil
}

// Release removes the record if the holder still holds it undone.
func (s *Store) Release(ctx context.Context, r idempotency.Record) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE tenant = ? AND key = ? AND holder = ? AND done = 0`, r.Tenant, r.Key,
			r.Holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("release an idempotency key: %w", err)
	}
	return nil
}

// PurgeExpired removes up to limit expired records and returns how many.
func (s *Store) PurgeExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	n, err := s.file.DeleteRows(ctx, `DELETE FROM idempotency WHERE rowid IN (
		SELECT rowid FROM idempotency WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`, rows.Micros(now), limit)
	if err != nil {
		return 0, fmt.Errorf("purge idempotency keys: %w", err)
	}
	return n, nil
}

func scanRecord(row rows.Scanner) (idempotency.Record, error) {
	var r idempotency.Record
	var lease, expires int64
	err := row.Scan(&r.Tenant, &r.Key, &r.Fingerprint, &r.Holder, &lease, &expires, &r.Done, &r.Status, &r.Body)
	r.LeaseUntil, r.ExpiresAt = rows.FromMicros(lease), rows.FromMicros(expires)
	return r, err
}
