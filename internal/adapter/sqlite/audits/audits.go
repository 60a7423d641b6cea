package audits

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of the audit log. It is safe for concurrent use; every write
// is durable when it returns.
type Store struct {
	file *db.DB
}

// New returns the driver on a file that has the tables of [Schema].
func New(file *db.DB) *Store { return &Store{file: file} }

const (
	blockColumns = `tenant, first, last, hash, signed_at, key, signature, body`
	headColumns  = `tenant, seq, hash, signed_at, key, signature`
)

// AppendAudit stores a block, unless there is another one with the same tenant and First:
// push.ErrConflict.
func (s *Store) AppendAudit(ctx context.Context, b audit.Block) error {
	packed, err := audit.Pack(b.Lines)
	if err == nil {
		err = s.file.Write(ctx, func(tx *sql.Tx) error {
			ok, err := insert(ctx, tx, &b, packed)
			if err != nil || ok {
				return err
			}
			var signature []byte
			err = tx.QueryRowContext(ctx, `SELECT signature FROM audit_block WHERE tenant = ? AND first = ?`, b.Tenant, b.First).Scan(&signature)
			if err == nil && !bytes.Equal(signature, b.Head.Signature) {
				return push.ErrConflict
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("append audit entry %d of %q: %w", b.First, b.Tenant, err)
	}
	return nil
}

// insert reports whether there was no block at that place.
func insert(ctx context.Context, tx *sql.Tx, b *audit.Block, packed []byte) (bool, error) {
	return rows.Changed(tx.ExecContext(ctx,
		`INSERT INTO audit_block (`+blockColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		b.Tenant, b.First, b.Head.Seq, b.Head.Hash[:], rows.Micros(b.Head.Time), b.Head.Key, b.Head.Signature, packed))
}

// AuditBlocks returns blocks with a First of from or more, in their order.
func (s *Store) AuditBlocks(ctx context.Context, tenant string, from int64, limit int) ([]audit.Block, error) {
	return blocks(ctx, s.file.Read(), `first >= ? ORDER BY first`, tenant, from, limit)
}

// AuditBlocksBefore returns blocks with a First below before, the last one first.
func (s *Store) AuditBlocksBefore(ctx context.Context, tenant string, before int64, limit int) ([]audit.Block, error) {
	return blocks(ctx, s.file.Read(), `first < ? ORDER BY first DESC`, tenant, before, limit)
}

func blocks(ctx context.Context, q rows.Querier, which, tenant string, at int64, limit int) ([]audit.Block, error) {
	found, err := rows.Collect(ctx, q, scanBlock,
		`SELECT `+blockColumns+` FROM audit_block WHERE tenant = ? AND `+which+` LIMIT ?`, tenant, at, rows.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("read the audit log of %q: %w", tenant, err)
	}
	return found, nil
}

// KeepAuditHead stores a head, unless there is one of the same tenant and Seq.
func (s *Store) KeepAuditHead(ctx context.Context, h audit.Head) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error { return keep(ctx, tx, &h) })
	if err != nil {
		return fmt.Errorf("keep audit head %d of %q: %w", h.Seq, h.Tenant, err)
	}
	return nil
}

func keep(ctx context.Context, tx *sql.Tx, h *audit.Head) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit_head (`+headColumns+`) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		h.Tenant, h.Seq, h.Hash[:], rows.Micros(h.Time), h.Key, h.Signature)
	return err
}

// AuditHeads returns the heads of a tenant with a Seq above after, in their order.
func (s *Store) AuditHeads(ctx context.Context, tenant string, after int64, limit int) ([]audit.Head, error) {
	found, err := rows.Collect(ctx, s.file.Read(), scanHead,
		`SELECT `+headColumns+` FROM audit_head WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?`, tenant, after, rows.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("read the audit heads of %q: %w", tenant, err)
	}
	return found, nil
}

// AuditTenants returns tenants that have a head, behind the given one in the order of their names.
func (s *Store) AuditTenants(ctx context.Context, after string, limit int) ([]string, error) {
	found, err := rows.Collect(ctx, s.file.Read(), scanText,
		`SELECT DISTINCT tenant FROM audit_head WHERE tenant > ? ORDER BY tenant LIMIT ?`, after, rows.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("list the tenants of the audit log: %w", err)
	}
	return found, nil
}

func scanText(row rows.Scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

func scanBlock(row rows.Scanner) (audit.Block, error) {
	var b audit.Block
	var hash, packed []byte
	var signed int64
	err := row.Scan(&b.Tenant, &b.First, &b.Head.Seq, &hash, &signed, &b.Head.Key, &b.Head.Signature, &packed)
	b.Head.Tenant, b.Head.Time = b.Tenant, rows.FromMicros(signed)
	copy(b.Head.Hash[:], hash)
	b.Lines = audit.Unpack(packed)
	return b, err
}

func scanHead(row rows.Scanner) (audit.Head, error) {
	var h audit.Head
	var hash []byte
	var signed int64
	err := row.Scan(&h.Tenant, &h.Seq, &hash, &signed, &h.Key, &h.Signature)
	h.Time = rows.FromMicros(signed)
	copy(h.Hash[:], hash)
	return h, err
}
