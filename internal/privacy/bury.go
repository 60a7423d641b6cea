package privacy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// The list is a head, which says at which version each block is, and the blocks. A block is
// written first and the head after it, which is what others look at. A crash in between leaves a
// block that nobody was told of; whoever buries again finds it, and tells.
const (
	kindTombstones = "tombstones"
	headName       = "head"
	blockEntries   = 250 // below 48 KB, which is what adding one costs to write
	maxBlocks      = 4000

	// MaxTombstones bounds the list: an installation that erases 200,000 users with four addresses
	// each fills it.
	MaxTombstones = blockEntries * maxBlocks
)

func blockName(n int) string { return fmt.Sprintf("block-%06d", n) }

type headItem struct {
	Blocks []int64 `json:"blocks"` // versions
}

type blockItem struct {
	Entries []entry `json:"entries"`
}

// entry is one tombstone.
type entry struct {
	Tenant  string  `json:"t"`
	Hash    Hash    `json:"h"`
	Request push.ID `json:"r"`           // that buried it last
	Lifted  int64   `json:"l,omitempty"` // microseconds; what was accepted from then on is sent again
}

// errFull says that there is no room for another tombstone.
var errFull = fmt.Errorf("there are %d tombstones, and no room for more", MaxTombstones)

// Bury puts up tombstones, or puts those up again that were lifted. Repeating it changes nothing.
func (t *Tombstones) Bury(ctx context.Context, tenant string, request push.ID, hs []Hash) error {
	err := t.change(ctx, func(head *headItem) error {
		for _, h := range hs {
			g, there := t.at(tenant, h)
			switch {
			case there && g.lifted == 0:
				continue
			case there:
				if err := t.edit(ctx, head, int(g.block), func(b *blockItem) { b.set(entry{tenant, h, request, 0}) }); err != nil {
					return err
				}
				continue
			}
			if err := t.append(ctx, head, entry{tenant, h, request, 0}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put up %d tombstones: %w", len(hs), err)
	}
	return nil
}

// Lift notes that a user or address has been registered anew at a time: what is accepted from
// then on is sent, what was accepted before is not. It costs nothing for who has no tombstone.
func (t *Tombstones) Lift(ctx context.Context, tenant string, hs []Hash, at time.Time) error {
	var standing []Hash
	for _, h := range hs {
		if g, there := t.at(tenant, h); there && g.lifted == 0 {
			standing = append(standing, h)
		}
	}
	if len(standing) == 0 {
		return nil
	}
	err := t.change(ctx, func(head *headItem) error {
		for _, h := range standing {
			g, _ := t.at(tenant, h)
			if err := t.edit(ctx, head, int(g.block), func(b *blockItem) { b.lift(tenant, h, at.UnixMicro()) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lift %d tombstones: %w", len(standing), err)
	}
	return nil
}

// Consented lifts the tombstones of a device that its app has registered: that is a new consent.
func (t *Tombstones) Consented(ctx context.Context, d *push.Device, at time.Time) error {
	if t.count.Load() == 0 {
		return nil
	}
	hs := []Hash{t.keys.Address(d.Tenant, d.Address)}
	if d.UserID != "" {
		hs = append(hs, t.keys.User(d.Tenant, d.UserID))
	}
	return t.Lift(ctx, d.Tenant, hs, at)
}

// conflictWait is up to how long a change waits that met another one, times its tries: who has lost
// often does not meet the same winner again.
const conflictWait = 5 * time.Millisecond

// change lets f edit blocks, and tells of them in the head. It is repeated when somebody else was
// at it at the same time.
func (t *Tombstones) change(ctx context.Context, f func(head *headItem) error) error {
	t.looking.Lock()
	defer t.looking.Unlock()
	var err error
	for try := range conflictTries {
		if err = t.changeOnce(ctx, f); !errors.Is(err, push.ErrConflict) {
			return err
		}
		if !worker.Wait(ctx, rand.N(time.Duration(try+1)*conflictWait)+1) { //nolint:gosec // spreads load, no secret
			return ctx.Err()
		}
	}
	return err
}

func (t *Tombstones) changeOnce(ctx context.Context, f func(head *headItem) error) error {
	if err := t.refresh(ctx); err != nil {
		return err
	}
	var head headItem
	version, err := document.Load(ctx, t.docs, kindTombstones, headName, &head)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return err
	}
	before := len(head.Blocks)
	told := append([]int64(nil), head.Blocks...)
	if err := f(&head); err != nil {
		return err
	}
	t.announce(&head)
	changed := len(head.Blocks) != before
	for i := range told {
		changed = changed || head.Blocks[i] != told[i]
	}
	if !changed {
		return nil
	}
	return document.Save(ctx, t.docs, kindTombstones, headName, version+1, head, t.now())
}

// announce notes in the head what this process knows of: it may have written a block in a try
// that lost the head to another process.
func (t *Tombstones) announce(head *headItem) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for n, version := range t.blocks {
		for len(head.Blocks) <= n {
			head.Blocks = append(head.Blocks, 0)
		}
		head.Blocks[n] = max(head.Blocks[n], version)
	}
}

// append adds an entry to the last block, or a new one.
func (t *Tombstones) append(ctx context.Context, head *headItem, e entry) error {
	for n := max(0, len(head.Blocks)-1); n < maxBlocks; n++ {
		added := false
		err := t.edit(ctx, head, n, func(b *blockItem) {
			if added = len(b.Entries) < blockEntries || b.has(e.Tenant, e.Hash); added {
				b.set(e)
			}
		})
		if err != nil || added {
			return err
		}
	}
	return errFull
}

// edit changes a block, remembers it, and notes its version in the head.
func (t *Tombstones) edit(ctx context.Context, head *headItem, n int, f func(b *blockItem)) error {
	var b blockItem
	version, err := document.Load(ctx, t.docs, kindTombstones, blockName(n), &b)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return err
	}
	old := append([]entry(nil), b.Entries...)
	f(&b)
	if !sameEntries(old, b.Entries) {
		version++
		if err := document.Save(ctx, t.docs, kindTombstones, blockName(n), version, b, t.now()); err != nil {
			return err
		}
	}
	if version == 0 {
		return nil
	}
	for len(head.Blocks) <= n {
		head.Blocks = append(head.Blocks, 0)
	}
	head.Blocks[n] = max(head.Blocks[n], version)
	t.take(n, version, &b)
	return nil
}

func sameEntries(a, b []entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (b *blockItem) find(tenant string, h Hash) *entry {
	for i := range b.Entries {
		if e := &b.Entries[i]; e.Hash == h && e.Tenant == tenant {
			return e
		}
	}
	return nil
}

func (b *blockItem) has(tenant string, h Hash) bool { return b.find(tenant, h) != nil }

// set adds an entry, or replaces the one of its hash.
func (b *blockItem) set(e entry) {
	if old := b.find(e.Tenant, e.Hash); old != nil {
		*old = e
		return
	}
	b.Entries = append(b.Entries, e)
}

func (b *blockItem) lift(tenant string, h Hash, at int64) {
	if e := b.find(tenant, h); e != nil && e.Lifted == 0 {
		e.Lifted = at
	}
}
