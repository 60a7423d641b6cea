package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// Trimmer removes entries that are past their retention, tenant by tenant, from the beginning of each chain. What it
// removes it verifies before: an entry that somebody changed stays, and all behind it, until somebody has looked. It is
// for one goroutine; several processes may have one each.
type Trimmer struct {
	Store   audit.Store
	Keys    *audit.Keyring // those that signed what is removed, and that which signs checkpoints
	Keep    time.Duration
	Log     *zap.Logger
	Metrics *Metrics

	tenants []string // that this pass still has to go to
	after   string   // the last one that it knows of
	at      audit.Checkpoint
	begun   bool
	held    map[string]bool // tenants whose logs can't be trimmed, which is logged once
}

// trimmed is how many blocks one step removes at most: each has up to 128 KiB, and most have one entry.
const trimmed = 32

// Step removes some blocks of one tenant. It returns how many entries they had, and whether this pass has more to do.
func (t *Trimmer) Step(ctx context.Context, now time.Time) (removed int, more bool, err error) {
	if !t.begun {
		more, err := t.next(ctx)
		return 0, more, err
	}
	removed, done, err := t.trim(ctx, t.tenants[0], now)
	if done || err != nil {
		t.tenants, t.begun = t.tenants[1:], false
	}
	if err != nil {
		return 0, false, err
	}
	return removed, true, nil
}

// next goes to the next tenant.
func (t *Trimmer) next(ctx context.Context) (bool, error) {
	const page = 100
	if len(t.tenants) == 0 {
		names, err := t.Store.AuditTenants(ctx, t.after, page)
		if err != nil || len(names) == 0 {
			t.after = ""
			return false, err
		}
		t.tenants, t.after = names, names[len(names)-1]
	}
	c, err := t.Store.AuditCheckpoint(ctx, t.tenants[0])
	switch {
	case errors.Is(err, push.ErrNotFound):
		c = audit.Checkpoint{Tenant: t.tenants[0]}
	case err != nil:
		t.tenants = t.tenants[1:]
		return false, err
	}
	t.at, t.begun = c, true
	return true, nil
}

// trim removes the next blocks of a tenant. The last block stays, whatever its age: the chain goes on from it.
func (t *Trimmer) trim(ctx context.Context, tenant string, now time.Time) (removed int, done bool, err error) {
	blocks, err := t.Store.AuditBlocks(ctx, tenant, 0, trimmed+1)
	if err != nil || len(blocks) == 0 {
		return 0, true, err
	}
	if blocks[0].Head.Seq <= t.at.Seq { // what a process left that was killed
		n, err := t.Store.TrimAudit(ctx, t.at, trimmed)
		return n, n == 0, err
	}
	old := t.old(blocks[:len(blocks)-1], now.Add(-t.Keep))
	if len(old) == 0 {
		return 0, true, nil
	}
	if what := t.wrong(tenant, old); what != "" {
		t.hold(tenant, what)
		return 0, true, nil
	}
	delete(t.held, tenant)
	last := &old[len(old)-1]
	c := audit.Checkpoint{Tenant: tenant, Seq: last.Head.Seq, Hash: last.Head.Hash, Time: now}
	t.Keys.SignCheckpoint(&c)
	if _, err := t.Store.TrimAudit(ctx, c, trimmed); err != nil {
		if errors.Is(err, push.ErrConflict) { // another process is at it
			return 0, true, nil
		}
		return 0, true, err
	}
	removed = int(c.Seq - t.at.Seq)
	t.at = c
	return removed, len(old) < trimmed, nil
}

// old are the first blocks that were signed before a time.
func (t *Trimmer) old(blocks []audit.Block, cutoff time.Time) []audit.Block {
	for i := range blocks {
		if !blocks[i].Head.Time.Before(cutoff) {
			return blocks[:i]
		}
	}
	return blocks
}

// wrong says what keeps blocks from being removed, "" if nothing does.
func (t *Trimmer) wrong(tenant string, blocks []audit.Block) string {
	v := audit.NewVerifier(tenant, 1, audit.Hash{}, t.Keys.Public(), nil)
	if t.at.Seq > 0 {
		v.Checkpoint("checkpoint", t.at)
	}
	for i := range blocks {
		place := fmt.Sprintf("block %d", blocks[i].First)
		for _, l := range blocks[i].Lines {
			v.Line(place, l)
		}
		v.Head(place, blocks[i].Head)
	}
	r := v.Finish()
	if r.OK() {
		return ""
	}
	return fmt.Sprintf("%s, %s: %s", r.Findings[0].Fault, r.Findings[0].Place, r.Findings[0].Detail)
}

func (t *Trimmer) hold(tenant, what string) {
	t.Metrics.untrimmed.Inc()
	if t.held[tenant] {
		return
	}
	if t.held == nil {
		t.held = map[string]bool{}
	}
	t.held[tenant] = true
	t.Log.Error("old entries of the audit log are kept, since they do not verify: see belfry audit verify", zap.String("tenant", tenant),
		zap.String("finding", what))
}
