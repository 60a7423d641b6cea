package audittest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// Memory is the audit log's store in memory: the contract in its shortest form, which passes
// the suite. The zero value is ready; safe for concurrent use.
type Memory struct {
	// Fail, if it is set, decides whether a write fails before it is done.
	Fail func() error

	mu     sync.Mutex
	blocks map[string][]audit.Block
	heads  map[string][]audit.Head
	points map[string]audit.Checkpoint
}

var _ audit.Store = (*Memory)(nil)

func (m *Memory) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

// AppendAudit implements [audit.Log].
func (m *Memory) AppendAudit(ctx context.Context, b audit.Block) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.Fail != nil {
		if err := m.Fail(); err != nil {
			return err
		}
	}
	at, found := slices.BinarySearchFunc(m.blocks[b.Tenant], b.First, func(x audit.Block, first int64) int {
		return cmp.Compare(x.First, first)
	})
	if found {
		if bytes.Equal(m.blocks[b.Tenant][at].Head.Signature, b.Head.Signature) {
			return nil
		}
		return push.ErrConflict
	}
	if m.blocks == nil {
		m.blocks = map[string][]audit.Block{}
	}
	m.blocks[b.Tenant] = slices.Insert(m.blocks[b.Tenant], at, b)
	return nil
}

// AuditBlocks implements [audit.Log].
func (m *Memory) AuditBlocks(ctx context.Context, tenant string, from int64, limit int) ([]audit.Block, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []audit.Block
	for _, b := range m.blocks[tenant] {
		if b.First >= from && len(out) < limit {
			out = append(out, b)
		}
	}
	return out, nil
}

// AuditBlocksBefore implements [audit.Log].
func (m *Memory) AuditBlocksBefore(ctx context.Context, tenant string, before int64, limit int) ([]audit.Block, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []audit.Block
	for _, b := range slices.Backward(m.blocks[tenant]) {
		if b.First < before && len(out) < limit {
			out = append(out, b)
		}
	}
	return out, nil
}

// KeepAuditHead implements [audit.Heads].
func (m *Memory) KeepAuditHead(ctx context.Context, h audit.Head) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	at, found := slices.BinarySearchFunc(m.heads[h.Tenant], h.Seq, func(x audit.Head, seq int64) int { return cmp.Compare(x.Seq, seq) })
	if found {
		return nil
	}
	if m.heads == nil {
		m.heads = map[string][]audit.Head{}
	}
	m.heads[h.Tenant] = slices.Insert(m.heads[h.Tenant], at, h)
	return nil
}

// AuditHeads implements [audit.Heads].
func (m *Memory) AuditHeads(ctx context.Context, tenant string, after int64, limit int) ([]audit.Head, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []audit.Head
	for _, h := range m.heads[tenant] {
		if h.Seq > after && len(out) < limit {
			out = append(out, h)
		}
	}
	return out, nil
}

// AuditTenants implements [audit.Heads].
func (m *Memory) AuditTenants(ctx context.Context, after string, limit int) ([]string, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []string
	for tenant := range m.heads {
		if tenant > after {
			out = append(out, tenant)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), limit)], nil
}

// AuditCheckpoint implements [audit.Checkpoints].
func (m *Memory) AuditCheckpoint(ctx context.Context, tenant string) (audit.Checkpoint, error) {
	if err := m.lock(ctx); err != nil {
		return audit.Checkpoint{}, err
	}
	defer m.mu.Unlock()
	c, ok := m.points[tenant]
	if !ok {
		return c, push.ErrNotFound
	}
	return c, nil
}

// TrimAudit implements [audit.Checkpoints].
func (m *Memory) TrimAudit(ctx context.Context, c audit.Checkpoint, most int) (int, error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if old, ok := m.points[c.Tenant]; ok && old.Seq >= c.Seq && !bytes.Equal(old.Signature, c.Signature) {
		return 0, push.ErrConflict
	}
	if m.points == nil {
		m.points = map[string]audit.Checkpoint{}
	}
	m.points[c.Tenant] = c
	if len(m.blocks[c.Tenant]) == 0 {
		return 0, nil
	}
	gone := 0
	for all := m.blocks[c.Tenant]; gone < min(most, len(all)) && all[gone].Head.Seq <= c.Seq; {
		gone++
	}
	m.blocks[c.Tenant] = slices.Clone(m.blocks[c.Tenant][gone:])
	if rest := m.blocks[c.Tenant]; len(rest) > 0 && rest[0].Head.Seq <= c.Seq {
		return gone, nil
	}
	if len(m.heads[c.Tenant]) == 0 {
		return gone, nil
	}
	last := len(m.heads[c.Tenant]) - 1
	m.heads[c.Tenant] = slices.DeleteFunc(slices.Clone(m.heads[c.Tenant]), func(h audit.Head) bool {
		return h.Seq < c.Seq && h.Seq < m.heads[c.Tenant][last].Seq
	})
	return gone, nil
}
