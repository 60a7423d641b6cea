package journal_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
	"github.com/belfry-push/belfry/internal/audit/journal"
)

const (
	day  = 24 * time.Hour
	kept = 30 * day
)

// old is a store with the logs of two tenants, one entry and block a day, and the time of the last.
func old(t *testing.T, days int) (*audittest.Memory, time.Time) {
	t.Helper()
	store, at := &audittest.Memory{}, time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	j := journal.New(journal.Config{
		Store: store, Keys: audittest.Keys(t), Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
		Now: func() time.Time { return at },
	})
	for range days {
		at = at.Add(day)
		for _, tenant := range []string{"acme", "zoo"} {
			e := audit.Entry{Tenant: tenant, Action: "cancelNotification", Kind: audit.Change, Who: audit.Who{Name: "key:1"}}
			if err := j.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store, at
}

func trimmer(t *testing.T, store audit.Store) *journal.Trimmer {
	t.Helper()
	return &journal.Trimmer{
		Store: store, Keys: audittest.Keys(t), Keep: kept, Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
	}
}

// pass makes a whole pass and returns how many entries it removed.
func pass(t *testing.T, tr *journal.Trimmer, now time.Time) int {
	t.Helper()
	for total := 0; ; {
		n, more, err := tr.Step(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; !more {
			return total
		}
	}
}

// verified is what a verification of the export finds.
func verified(t *testing.T, store audit.Store, tenant string) audit.Report {
	t.Helper()
	r := journal.NewReader(store)
	var heads []audit.Head
	for h, err := range r.Heads(t.Context(), tenant) {
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	v := audit.NewVerifier(tenant, 1, audit.Hash{}, audittest.Keys(t).Public(), slices.Values(heads))
	for p, err := range r.Export(t.Context(), tenant, 1) {
		switch {
		case err != nil:
			t.Fatal(err)
		case p.Line != nil:
			v.Line("line", *p.Line)
		case p.Head != nil:
			v.Head("head", *p.Head)
		default:
			v.Checkpoint("checkpoint", *p.Removed)
		}
	}
	return v.Finish()
}

// Entries past their retention go, of every tenant, and the rest verifies.
func TestTrim(t *testing.T) {
	t.Parallel()
	const days, gone = 120, 89 // the entry that is exactly as old as the retention stays
	store, now := old(t, days)
	tr := trimmer(t, store)
	if n := pass(t, tr, now); n != 2*gone {
		t.Errorf("%d entries were removed", n)
	}
	for _, tenant := range []string{"acme", "zoo"} {
		r := verified(t, store, tenant)
		if !r.OK() || r.First != gone+1 || r.Last != days || r.Removed == nil || r.Removed.Seq != gone {
			t.Errorf("%+v", r)
		}
	}
	if n := pass(t, tr, now); n != 0 {
		t.Errorf("%d entries were removed by a second pass", n)
	}
	if n := pass(t, trimmer(t, store), now.Add(day)); n != 2 {
		t.Errorf("%d entries were removed a day later", n)
	}
}

// The last block stays for ever, so that the chain goes on from it.
func TestTrimLeavesTheLast(t *testing.T) {
	t.Parallel()
	store, now := old(t, 3)
	now = now.Add(1000 * day)
	if n := pass(t, trimmer(t, store), now); n != 4 {
		t.Errorf("%d entries were removed", n)
	}
	j := journal.New(journal.Config{
		Store: store, Keys: audittest.Keys(t), Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
	})
	if err := j.Record(t.Context(), audit.Entry{Tenant: "acme"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, store, "acme"); !r.OK() || r.First != 3 || r.Last != 4 {
		t.Errorf("%+v", r)
	}
}

// tampered is a store in which somebody edited an entry.
type tampered struct {
	*audittest.Memory

	seq int64
}

func (s *tampered) AuditBlocks(ctx context.Context, tenant string, from int64, limit int) ([]audit.Block, error) {
	all, err := s.Memory.AuditBlocks(ctx, tenant, from, limit)
	for i := range all {
		if all[i].First == s.seq && tenant == "acme" {
			l := all[i].Lines[0]
			l.Entry = []byte(strings.Replace(string(l.Entry), "key:1", "key:2", 1))
			all[i].Lines = []audit.Line{l}
		}
	}
	return all, err
}

// What was tampered with is not removed, which would be the end of the evidence; other tenants' logs are.
func TestTrimKeepsEvidence(t *testing.T) {
	t.Parallel()
	memory, now := old(t, 120)
	store := &tampered{memory, 40}
	if n := pass(t, trimmer(t, store), now); n != 32+89 {
		t.Errorf("%d entries were removed", n)
	}
	r := verified(t, store, "acme")
	if len(r.Findings) != 1 || r.Findings[0].Fault != audit.FaultEdited || r.Findings[0].Seq != 40 || r.First != 33 {
		t.Errorf("%+v", r)
	}
}

// half stores a checkpoint and removes one block of what it covers, as a process does that is killed.
type half struct{ *audittest.Memory }

func (s half) TrimAudit(ctx context.Context, c audit.Checkpoint, _ int) (int, error) {
	if _, err := s.Memory.TrimAudit(ctx, c, 1); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("killed at %d", c.Seq)
}

// A removal that was cut short is finished by whoever comes next; until then the log verifies, and nobody is shown what
// is removed.
func TestTrimGoesOn(t *testing.T) {
	t.Parallel()
	store, now := old(t, 120)
	tr := trimmer(t, half{store})
	for {
		if _, _, err := tr.Step(t.Context(), now); err != nil {
			break
		}
	}
	if r := verified(t, store, "acme"); !r.OK() || r.Removed.Seq != 32 || r.First != 33 {
		t.Errorf("%+v", r)
	}
	entries, next, err := journal.NewReader(store).List(t.Context(), "acme", &journal.Filter{}, math.MaxInt64, 1000)
	if err != nil || next != 0 || len(entries) != 120-32 {
		t.Errorf("%d are shown, %v", len(entries), err)
	}
	pass(t, trimmer(t, store), now)
	if r := verified(t, store, "acme"); !r.OK() || r.First != 90 {
		t.Errorf("%+v", r)
	}
}

// A reader that is slower than retention gets an export that verifies.
func TestExportDuringTrim(t *testing.T) {
	t.Parallel()
	store, now := old(t, 120)
	v := audit.NewVerifier("acme", 1, audit.Hash{}, audittest.Keys(t).Public(), nil)
	seen := 0
	for p, err := range journal.NewReader(store).Export(t.Context(), "acme", 1) {
		switch {
		case err != nil:
			t.Fatal(err)
		case p.Line != nil:
			if seen++; seen == 5 {
				pass(t, trimmer(t, store), now)
			}
			v.Line("line", *p.Line)
		case p.Head != nil:
			v.Head("head", *p.Head)
		default:
			v.Checkpoint("checkpoint", *p.Removed)
		}
	}
	if r := v.Finish(); !r.OK() || r.Last != 120 || r.Entries != 20+31 {
		t.Errorf("%+v", r)
	}
}
