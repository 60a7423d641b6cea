package audits

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

var _ audit.Joint = (*Store)(nil)

// JoinAudit returns when the entries, all of one tenant, are durable behind the chain's end.
func (s *Store) JoinAudit(ctx context.Context, sealer audit.Sealer, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	err := s.file.WriteWith(ctx, Tail{sealer}, func(*sql.Tx) (any, error) { return entries, nil })
	if err != nil {
		return fmt.Errorf("append to the audit log of %q: %w", entries[0].Tenant, err)
	}
	return nil
}

// Tail writes the entries of a transaction, of which each of its items is a slice ([]audit.Entry, of one tenant): one block
// a tenant, however many writes the transaction has. Since nobody else writes meanwhile, the blocks are the chain's end.
type Tail struct {
	Sealer audit.Sealer
}

var _ db.Tail = Tail{}

// End implements [db.Tail].
func (t Tail) End(ctx context.Context, tx *sql.Tx, items []any) (durable func(), err error) {
	entries := map[string][]audit.Entry{}
	var tenants []string
	for _, i := range items {
		all, _ := i.([]audit.Entry)
		if len(all) == 0 {
			continue
		}
		tenant := all[0].Tenant
		if _, known := entries[tenant]; !known {
			tenants = append(tenants, tenant)
		}
		entries[tenant] = append(entries[tenant], all...)
	}
	var after []func()
	for _, tenant := range tenants {
		s, err := t.Sealer.Seal(ctx, chain{tx, tenant}, entries[tenant])
		if err == nil {
			err = write(ctx, tx, &s)
		}
		if err != nil {
			return nil, fmt.Errorf("append to the audit log of %q: %w", tenant, err)
		}
		if s.Durable != nil {
			after = append(after, s.Durable)
		}
	}
	return func() {
		for _, f := range after {
			f()
		}
	}, nil
}

func write(ctx context.Context, tx *sql.Tx, s *audit.Sealed) error {
	for i := range s.Blocks {
		b := &s.Blocks[i]
		packed, err := audit.Pack(b.Lines)
		if err != nil {
			return err
		}
		ok, err := insert(ctx, tx, b, packed)
		if err == nil && !ok {
			err = push.ErrConflict // a row that is not of the chain stands there
		}
		if err != nil {
			return err
		}
	}
	if last := len(s.Blocks) - 1; s.Keep && last >= 0 {
		return keep(ctx, tx, &s.Blocks[last].Head)
	}
	return nil
}

// chain is a tenant's chain in a transaction.
type chain struct {
	tx     *sql.Tx
	tenant string
}

// Tenant implements [audit.Chain].
func (c chain) Tenant() string { return c.tenant }

// Last implements [audit.Chain].
func (c chain) Last(ctx context.Context) (audit.Block, error) {
	b := audit.Block{Tenant: c.tenant, Head: audit.Head{Tenant: c.tenant}}
	err := rows.One(ctx, c.tx, func(row rows.Scanner) error {
		var hash []byte
		err := row.Scan(&b.First, &b.Head.Seq, &hash)
		copy(b.Head.Hash[:], hash)
		return err
	}, `SELECT first, last, hash FROM audit_block WHERE tenant = ? ORDER BY first DESC LIMIT 1`, c.tenant)
	return b, rows.Found(err)
}

// Before implements [audit.Chain].
func (c chain) Before(ctx context.Context, limit int) ([]audit.Block, error) {
	return blocks(ctx, c.tx, `first < ? ORDER BY first DESC`, c.tenant, math.MaxInt64, limit)
}
