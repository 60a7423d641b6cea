// Package audittest is the conformance suite of the audit log's store: every driver of
// [audit.Store] runs it. It has the store in memory, too.
package audittest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// Features says where a driver legitimately differs.
type Features struct {
	// Restart opens a store on data of its own; calling the returned function again closes
	// the store and opens the same data anew. Nil where the data lives in a service that
	// outlasts the process.
	Restart func(t *testing.T) func() audit.Store
	// Joint says that the driver is [audit.Joint].
	Joint bool
}

// Keys returns a keyring that is the same every time.
func Keys(tb testing.TB) *audit.Keyring {
	tb.Helper()
	k, err := audit.NewKeyring(ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize))))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// Run holds a driver to the contract of [audit.Store]. open may return one store for all
// cases: each works with tenants of its own. Cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) audit.Store, features Features) {
	t.Helper()
	cases := []struct {
		name string
		run  func(f *fixture)
	}{
		{"a block comes back as it was", roundTrip},
		{"of concurrent blocks at one place exactly one is stored", conflict},
		{"the same block again is no conflict", again},
		{"blocks are read in either order", order},
		{"tenants are apart", apart},
		{"heads are kept, and never replaced", kept},
		{"tenants are listed", tenants},
		{"blocks are removed up to a checkpoint, some at a time", trimmed},
		{"a checkpoint gives way to a later one only", checkpoints},
		{"of concurrent checkpoints one is stored", racedCheckpoints},
		{"a cancelled context is an error", cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t)))
		})
	}
	t.Run("joined entries stand behind the end, whoever else writes", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		if _, is := s.(audit.Joint); !is && !features.Joint {
			t.Skip("the driver has no transactions to join")
		}
		joined(t, s)
	})
	t.Run("what was written survives a restart", func(t *testing.T) {
		t.Parallel()
		if features.Restart == nil {
			t.Skip("the data lives in a service")
		}
		reopen := features.Restart(t)
		f := newFixture(t, reopen())
		b := f.Block(1, 3)
		f.append(b)
		f.Store = reopen()
		f.same("blocks", f.blocks(1), []audit.Block{b})
	})
}

// A fixture is what one case works with.
type fixture struct {
	*testing.T
	audit.Store

	keys   *audit.Keyring
	tenant string
}

func newFixture(t *testing.T, s audit.Store) *fixture {
	t.Helper()
	return &fixture{T: t, Store: s, keys: Keys(t), tenant: "t-" + string(push.NewID("x"))[2:]}
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// Block is a block of n entries from first, of a chain that nothing stands before.
func (f *fixture) Block(first int64, n int) audit.Block {
	f.Helper()
	b := audit.Block{Tenant: f.tenant, First: first}
	hash := audit.Genesis(f.tenant)
	at := time.Date(2026, 12, 1, 9, 30, 0, 123_456_000, time.UTC)
	for i := range n {
		raw, err := audit.Entry{
			Tenant: f.tenant, Seq: first + int64(i), Time: at, Who: audit.Who{Name: `a "name" of größe 🐝`}, Action: "createNotification",
			Kind: audit.Change, Call: string(push.NewID("r")),
		}.Canonical()
		f.must(err)
		hash = audit.Next(hash, raw)
		b.Lines = append(b.Lines, audit.Line{Entry: raw, Hash: hash})
	}
	b.Head = audit.Head{Tenant: f.tenant, Seq: first + int64(n) - 1, Hash: hash, Time: at}
	f.keys.Sign(&b.Head)
	return b
}

func (f *fixture) append(b audit.Block) {
	f.Helper()
	f.must(f.AppendAudit(f.Context(), b))
}

func (f *fixture) blocks(from int64) []audit.Block {
	f.Helper()
	got, err := f.AuditBlocks(f.Context(), f.tenant, from, 1000)
	f.must(err)
	return got
}

func roundTrip(f *fixture) {
	f.same("nothing", f.blocks(1), []audit.Block(nil))
	small, large := f.Block(1, 1), f.Block(2, audit.MaxEntries)
	f.append(small)
	f.append(large)
	f.same("blocks", f.blocks(1), []audit.Block{small, large})
}

func conflict(f *fixture) {
	const callers = 6
	var winners atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range callers {
		b := f.Block(1, 2)
		wg.Go(func() {
			<-start
			switch err := f.AppendAudit(f.Context(), b); {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, push.ErrConflict):
				f.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	if winners.Load() != 1 || len(f.blocks(1)) != 1 {
		f.Fatalf("%d won, and %d are stored", winners.Load(), len(f.blocks(1)))
	}
}

func again(f *fixture) {
	b := f.Block(1, 2)
	f.append(b)
	f.append(b)
	f.same("blocks", f.blocks(1), []audit.Block{b})
}

func order(f *fixture) {
	var all []audit.Block
	for _, first := range []int64{1, 4, 11, 100, 1_000_000} {
		b := f.Block(first, 2)
		all = append(all, b)
		f.append(b)
	}
	f.same("from the start", f.blocks(0), all)
	f.same("from the middle", f.blocks(5), all[2:])
	f.same("from the block", f.blocks(11), all[2:])
	back, err := f.AuditBlocksBefore(f.Context(), f.tenant, math.MaxInt64, 2)
	f.must(err)
	f.same("the last two", back, []audit.Block{all[4], all[3]})
	back, err = f.AuditBlocksBefore(f.Context(), f.tenant, 11, 10)
	f.must(err)
	f.same("before", back, []audit.Block{all[1], all[0]})
	some, err := f.AuditBlocks(f.Context(), f.tenant, 2, 1)
	f.must(err)
	f.same("one", some, all[1:2])
}

func apart(f *fixture) {
	mine := f.Block(1, 1)
	f.append(mine)
	other := *f
	other.tenant += "-other"
	theirs := other.Block(1, 1)
	other.append(theirs)
	f.same("mine", f.blocks(1), []audit.Block{mine})
	f.same("theirs", other.blocks(1), []audit.Block{theirs})
}

func kept(f *fixture) {
	h1, h3 := f.Block(1, 1).Head, f.Block(1, 3).Head
	f.must(f.KeepAuditHead(f.Context(), h3))
	f.must(f.KeepAuditHead(f.Context(), h1))
	forged := h1
	forged.Hash = h3.Hash
	f.must(f.KeepAuditHead(f.Context(), forged))
	got, err := f.AuditHeads(f.Context(), f.tenant, 0, 10)
	f.must(err)
	f.same("heads", got, []audit.Head{h1, h3})
	got, err = f.AuditHeads(f.Context(), f.tenant, 1, 10)
	f.must(err)
	f.same("heads behind 1", got, []audit.Head{h3})
}

func tenants(f *fixture) {
	var want []string
	for i := range 3 {
		other := *f
		other.tenant = fmt.Sprint(f.tenant, "-", i)
		want = append(want, other.tenant)
		for n := range 2 {
			f.must(f.KeepAuditHead(f.Context(), other.Block(1, n+1).Head))
		}
	}
	var got []string
	for after := f.tenant; ; {
		page, err := f.AuditTenants(f.Context(), after, 2)
		f.must(err)
		for _, t := range page {
			if strings.HasPrefix(t, f.tenant) {
				got = append(got, t)
			}
		}
		if len(page) == 0 || !strings.HasPrefix(page[len(page)-1], f.tenant) {
			break
		}
		after = page[len(page)-1]
	}
	f.same("tenants", got, want)
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	if err := f.AppendAudit(ctx, f.Block(1, 1)); !errors.Is(err, context.Canceled) {
		f.Fatalf("error = %v", err)
	}
	if _, err := f.AuditBlocks(ctx, f.tenant, 1, 1); !errors.Is(err, context.Canceled) {
		f.Fatalf("error = %v", err)
	}
}

// checkpoint is a checkpoint at an entry.
func (f *fixture) checkpoint(seq int64) audit.Checkpoint {
	f.Helper()
	at := time.Date(2027, 12, 1, 9, 30, 0, 654_321_000, time.UTC)
	c := audit.Checkpoint{Tenant: f.tenant, Seq: seq, Hash: audit.Hash{byte(seq)}, Time: at}
	f.keys.SignCheckpoint(&c)
	return c
}

func (f *fixture) trim(c audit.Checkpoint, most, want int) {
	f.Helper()
	n, err := f.TrimAudit(f.Context(), c, most)
	f.must(err)
	if n != want {
		f.Fatalf("%d blocks were removed, want %d", n, want)
	}
}

func trimmed(f *fixture) {
	if _, err := f.AuditCheckpoint(f.Context(), f.tenant); !errors.Is(err, push.ErrNotFound) {
		f.Fatalf("error = %v", err)
	}
	other := *f
	other.tenant += "-other"
	var all []audit.Block
	for n := range 6 {
		b := f.Block(int64(2*n+1), 2) // 1 and 2, … 11 and 12
		all = append(all, b)
		f.append(b)
		f.must(f.KeepAuditHead(f.Context(), b.Head))
		other.append(other.Block(b.First, 2))
		f.must(f.KeepAuditHead(f.Context(), other.Block(b.First, 2).Head))
	}
	heads := func() []audit.Head {
		got, err := f.AuditHeads(f.Context(), f.tenant, 0, 10)
		f.must(err)
		return got
	}
	c := f.checkpoint(8)
	f.trim(c, 3, 3)
	f.same("the first three are gone", f.blocks(0), all[3:])
	if len(heads()) != 6 {
		f.Errorf("%d heads before all blocks are gone", len(heads()))
	}
	got, err := f.AuditCheckpoint(f.Context(), f.tenant)
	f.must(err)
	f.same("checkpoint", got, c)
	f.trim(c, 3, 1)
	f.same("what the checkpoint covers is gone", f.blocks(0), all[4:])
	f.same("heads", heads(), []audit.Head{all[3].Head, all[4].Head, all[5].Head})
	f.trim(c, 3, 0)
	f.same("the rest stays", f.blocks(0), all[4:])
	f.same("theirs", len(other.blocks(0)), 6)

	f.append(f.Block(13, 1)) // no head is kept of it
	later := f.checkpoint(12)
	f.trim(later, 10, 2)
	f.same("the last head stays", heads(), []audit.Head{all[5].Head})
	f.append(f.Block(14, 1))
	f.trim(f.checkpoint(13), 10, 1)
	f.same("the last head stays, though it is before the checkpoint", heads(), []audit.Head{all[5].Head})
}

func checkpoints(f *fixture) {
	for n := range 3 {
		f.append(f.Block(int64(n+1), 1))
	}
	first, second := f.checkpoint(1), f.checkpoint(2)
	f.trim(first, 10, 1)
	f.trim(second, 10, 1)
	twin := second
	twin.Time = twin.Time.Add(time.Second)
	f.keys.SignCheckpoint(&twin)
	for what, c := range map[string]audit.Checkpoint{"an earlier one": first, "another one at the same place": twin} {
		if n, err := f.TrimAudit(f.Context(), c, 10); !errors.Is(err, push.ErrConflict) || n != 0 {
			f.Errorf("%s: %d removed, %v", what, n, err)
		}
	}
	got, err := f.AuditCheckpoint(f.Context(), f.tenant)
	f.must(err)
	f.same("checkpoint", got, second)
	f.same("what is left", len(f.blocks(0)), 1)
}

func racedCheckpoints(f *fixture) {
	const callers = 6
	for n := range callers + 1 {
		f.append(f.Block(int64(n+1), 1))
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for n := range callers {
		c := f.checkpoint(int64(n + 1))
		wg.Go(func() {
			<-start
			if _, err := f.TrimAudit(f.Context(), c, 10); err != nil && !errors.Is(err, push.ErrConflict) {
				f.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	got, err := f.AuditCheckpoint(f.Context(), f.tenant)
	f.must(err)
	if got.Seq != callers || len(f.blocks(0)) != 1 {
		f.Fatalf("the checkpoint is at %d, and %d blocks are left", got.Seq, len(f.blocks(0)))
	}
}
