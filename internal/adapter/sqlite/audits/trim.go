package audits

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// AuditCheckpoint returns a tenant's checkpoint, or push.ErrNotFound.
func (s *Store) AuditCheckpoint(ctx context.Context, tenant string) (audit.Checkpoint, error) {
	c, err := checkpoint(ctx, s.file.Read(), tenant)
	if err != nil {
		return c, fmt.Errorf("audit checkpoint of %q: %w", tenant, err)
	}
	return c, nil
}

func checkpoint(ctx context.Context, from interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, tenant string,
) (audit.Checkpoint, error) {
	h, err := scanHead(from.QueryRowContext(ctx, `SELECT `+headColumns+` FROM audit_checkpoint WHERE tenant = ?`, tenant))
	if errors.Is(err, sql.ErrNoRows) {
		err = push.ErrNotFound
	}
	return audit.Checkpoint(h), err
}

// TrimAudit stores a checkpoint and removes blocks that it covers, in one transaction.
func (s *Store) TrimAudit(ctx context.Context, c audit.Checkpoint, most int) (int, error) {
	removed := int64(0)
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		old, err := checkpoint(ctx, tx, c.Tenant)
		switch {
		case errors.Is(err, push.ErrNotFound):
		case err != nil:
			return err
		case old.Seq >= c.Seq && !bytes.Equal(old.Signature, c.Signature):
			return push.ErrConflict
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO audit_checkpoint (`+headColumns+`) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant) DO UPDATE SET
			seq = excluded.seq, hash = excluded.hash, signed_at = excluded.signed_at, key = excluded.key, signature = excluded.signature`,
			c.Tenant, c.Seq, c.Hash[:], rows.Micros(c.Time), c.Key, c.Signature)
		if err != nil {
			return err
		}
		gone, err := tx.ExecContext(ctx, `DELETE FROM audit_block WHERE tenant = ?1 AND first IN (
			SELECT first FROM audit_block WHERE tenant = ?1 AND first <= ?2 AND last <= ?2 ORDER BY first LIMIT ?3)`, c.Tenant, c.Seq, most)
		if err != nil {
			return err
		}
		if removed, err = gone.RowsAffected(); err != nil || removed >= int64(most) {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM audit_head WHERE tenant = ?1 AND seq < ?2
			AND seq < (SELECT max(seq) FROM audit_head WHERE tenant = ?1)`, c.Tenant, c.Seq)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("trim the audit log of %q up to entry %d: %w", c.Tenant, c.Seq, err)
	}
	return int(removed), nil
}
