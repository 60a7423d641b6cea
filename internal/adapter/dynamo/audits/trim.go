package audits

import (
	"bytes"
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// points is the kind of checkpoints, whose names are tenants.
const points = "audit-checkpoints#"

// AuditCheckpoint returns a tenant's checkpoint, or push.ErrNotFound.
func (s *Store) AuditCheckpoint(ctx context.Context, tenant string) (audit.Checkpoint, error) {
	found, err := s.db.Get(ctx, s.config, table.ConfigKey(points, tenant))
	if err == nil && found == nil {
		err = push.ErrNotFound
	}
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("audit checkpoint of %q: %w", tenant, err)
	}
	return audit.Checkpoint(decodeHead(found, tenant)), nil
}

// TrimAudit stores a checkpoint, and then removes blocks that it covers, one by one. TTL would remove them in no order and
// before any checkpoint says so.
func (s *Store) TrimAudit(ctx context.Context, c audit.Checkpoint, most int) (int, error) {
	removed, err := s.trim(ctx, &c, most)
	if err != nil {
		return removed, fmt.Errorf("trim the audit log of %q up to entry %d: %w", c.Tenant, c.Seq, err)
	}
	return removed, nil
}

func (s *Store) trim(ctx context.Context, c *audit.Checkpoint, most int) (int, error) {
	if err := s.putCheckpoint(ctx, c); err != nil {
		return 0, err
	}
	// Oldest first, and one after the other: a process that is killed here leaves no gap in front of what is left.
	blocks, err := s.AuditBlocks(ctx, c.Tenant, 0, most)
	if err != nil {
		return 0, err
	}
	removed := 0
	for i := range blocks {
		if blocks[i].Head.Seq > c.Seq {
			break
		}
		if err := s.db.Remove(ctx, s.config, table.ConfigKey(blocksOf(c.Tenant), digits(blocks[i].First)), table.Expression{}); err != nil {
			return removed, err
		}
		removed++
	}
	if removed == len(blocks) && removed == most {
		return removed, nil // there may be more
	}
	return removed, s.trimHeads(ctx, c)
}

func (s *Store) putCheckpoint(ctx context.Context, c *audit.Checkpoint) error {
	i := table.ConfigKey(points, c.Tenant)
	h := audit.Head(*c)
	encodeHead(i, &h)
	i[table.AttrTenant] = table.Text(c.Tenant)
	var e table.Expression
	seq := e.Name(attrSeq)
	e.Where("attribute_not_exists(" + seq + ") OR " + seq + " < " + e.Value("seq", table.Number(c.Seq)))
	_, err := s.db.Put(ctx, s.config, i, e, false)
	if err == nil {
		return nil
	}
	found, err := s.db.Winner(ctx, err)
	if err == nil && !bytes.Equal(found.Bytes(attrSignature), c.Signature) {
		err = push.ErrConflict // otherwise it is ours
	}
	return err
}

// trimHeads removes the kept heads before a checkpoint, but for the last one of all, by which the tenant is listed.
func (s *Store) trimHeads(ctx context.Context, c *audit.Checkpoint) error {
	heads, err := s.AuditHeads(ctx, c.Tenant, 0, table.MaxList)
	if err != nil {
		return err
	}
	for i := range heads[:max(len(heads)-1, 0)] {
		if heads[i].Seq >= c.Seq {
			return nil
		}
		key := table.ConfigKey(headsKind, c.Tenant+separator+digits(heads[i].Seq))
		if err := s.db.Remove(ctx, s.config, key, table.Expression{}); err != nil {
			return err
		}
	}
	return nil
}
