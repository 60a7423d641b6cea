package audittest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// sealer makes blocks as a journal does, one an entry of which there may be many, and notes what became durable.
type sealer struct {
	keys *audit.Keyring
	fail error // of the next seals

	mu      sync.Mutex
	durable int // entries
}

// Seal implements [audit.Sealer].
func (s *sealer) Seal(ctx context.Context, c audit.Chain, entries []audit.Entry) (audit.Sealed, error) {
	if s.fail != nil {
		return audit.Sealed{}, s.fail
	}
	const looked = 3
	last, err := c.Before(ctx, looked)
	if err != nil {
		return audit.Sealed{}, err
	}
	head := audit.EndOf(c.Tenant(), last)
	switch end, err := c.Last(ctx); {
	case errors.Is(err, push.ErrNotFound) && head.Seq == 0:
	case err != nil:
		return audit.Sealed{}, fmt.Errorf("the last block, of %d: %w", head.Seq, err)
	case end.Head.Seq != head.Seq || end.Head.Hash != head.Hash:
		return audit.Sealed{}, fmt.Errorf("the last block ends at %d, and the blocks before the end at %d", end.Head.Seq, head.Seq)
	}
	var out audit.Sealed
	for i := range entries {
		e := entries[i]
		e.Seq = head.Seq + 1
		raw, err := e.Canonical()
		if err != nil {
			return audit.Sealed{}, err
		}
		head = audit.Head{Tenant: c.Tenant(), Seq: e.Seq, Hash: audit.Next(head.Hash, raw), Time: e.Time}
		s.keys.Sign(&head)
		out.Blocks = append(out.Blocks, audit.Block{
			Tenant: c.Tenant(), First: e.Seq, Head: head, Lines: []audit.Line{{Entry: raw, Hash: head.Hash}},
		})
	}
	out.Keep = true
	out.Durable = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.durable += len(entries)
	}
	return out, nil
}

// joined holds a store that is [audit.Joint] to it: no two writers come to one place, what a sealer refuses is not there, and
// what is durable is told.
func joined(t *testing.T, s audit.Store) {
	t.Helper()
	joint, ok := s.(audit.Joint)
	if !ok {
		t.Fatal("the driver says that it is joint, and is not")
	}
	f := newFixture(t, s)
	at := time.Date(2026, 12, 1, 9, 30, 0, 123_456_000, time.UTC)
	entry := func(tenant string, n int) audit.Entry {
		return audit.Entry{
			Tenant: tenant, Time: at, Who: audit.Who{Name: "ann"}, Action: "createNotification", Kind: audit.Change,
			Target: audit.Target{Kind: "notifications", ID: strconv.Itoa(n)},
		}
	}
	before := f.Block(1, 2)
	f.append(before)
	const writers, calls, other = 3, 20, "-other"
	sealers := make([]*sealer, writers)
	var wg sync.WaitGroup
	for w := range writers {
		sealers[w] = &sealer{keys: f.keys}
		for c := range calls {
			wg.Go(func() {
				tenant, n := f.tenant, 2*(w*calls+c)
				if c%2 == 1 {
					tenant += other
				}
				if err := joint.JoinAudit(f.Context(), sealers[w], []audit.Entry{entry(tenant, n), entry(tenant, n+1)}); err != nil {
					t.Errorf("join: %v", err)
				}
			})
		}
	}
	wg.Wait()
	refused := errors.New("refused")
	refuses := &sealer{keys: f.keys, fail: refused}
	if err := joint.JoinAudit(f.Context(), refuses, []audit.Entry{entry(f.tenant, -1)}); !errors.Is(err, refused) || refuses.durable != 0 {
		t.Errorf("what the sealer refuses: %v, %d durable", err, refuses.durable)
	}
	f.must(joint.JoinAudit(f.Context(), refuses, nil)) // nothing to seal

	durable := 0
	for _, s := range sealers {
		durable += s.durable
	}
	if want := 2 * writers * calls; durable != want {
		t.Errorf("%d entries were said to be durable, want %d", durable, want)
	}
	seen := map[string]int{}
	for _, c := range []struct {
		tenant string
		head   audit.Head
		rest   []audit.Block
	}{
		{f.tenant, before.Head, f.blocks(2)},
		{f.tenant + other, audit.Head{Hash: audit.Genesis(f.tenant + other)}, (&fixture{T: f.T, Store: s, tenant: f.tenant + other}).blocks(0)},
	} {
		head := c.head
		for i := range c.rest {
			b := &c.rest[i]
			if b.First != head.Seq+1 {
				t.Fatalf("a block of %s begins at %d behind %d", c.tenant, b.First, head.Seq)
			}
			for _, l := range b.Lines {
				var e audit.Entry
				f.must(json.Unmarshal(l.Entry, &e))
				if head.Hash = audit.Next(head.Hash, l.Entry); head.Hash != l.Hash || e.Tenant != c.tenant {
					t.Errorf("entry %d of %s does not follow", e.Seq, c.tenant)
				}
				seen[e.Target.ID]++
			}
			head = b.Head
		}
		heads, err := s.AuditHeads(f.Context(), c.tenant, 0, 1000)
		f.must(err)
		if len(heads) == 0 || heads[len(heads)-1].Hash != head.Hash {
			t.Errorf("of %d heads that were to be kept none is the end of %s", len(heads), c.tenant)
		}
	}
	for n := range 2 * writers * calls {
		if id := strconv.Itoa(n); seen[id] != 1 {
			t.Errorf("entry %s is there %d times", id, seen[id])
		}
	}
	if seen["-1"] != 0 {
		t.Error("what the sealer refused is there")
	}
}
