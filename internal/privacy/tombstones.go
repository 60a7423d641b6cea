package privacy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const (
	// freshFor is how old the list of tombstones may get before it is looked at again: one read of
	// a small document.
	freshFor = 2 * time.Second
	// StaleAfter is the age from which nothing more is begun by a list of tombstones.
	StaleAfter = 5 * time.Second
	// refreshWithin bounds one look, so that a store that hangs holds nothing up for good.
	refreshWithin = 5 * time.Second
)

// grave is one tombstone as it is remembered.
type grave struct {
	block  int32
	lifted int64 // microseconds; 0: it is not
}

// Tombstones is the list of who is erased. It is kept whole in memory, some 64 bytes each and at
// most [MaxTombstones] of them (64 MB), and read again in parts when it changed. Safe for
// concurrent use.
type Tombstones struct {
	docs document.Store
	keys *Keys
	log  *zap.Logger
	now  func() time.Time
	base time.Time // what looked counts from

	looking sync.Mutex   // held by who looks
	looked  atomic.Int64 // nanoseconds since base, at least 1; 0: never
	count   atomic.Int64

	mu      sync.RWMutex
	blocks  []int64 // versions, as read
	tenants map[string]map[Hash]grave
}

// NewTombstones returns the list, which has not been read yet. now must not run backwards: its
// monotonic part counts.
func NewTombstones(docs document.Store, keys *Keys, log *zap.Logger, now func() time.Time) *Tombstones {
	return &Tombstones{docs: docs, keys: keys, log: log, now: now, base: now(), tenants: map[string]map[Hash]grave{}}
}

// Run keeps the list current until ctx ends.
func (t *Tombstones) Run(ctx context.Context) {
	tick := time.NewTicker(freshFor)
	defer tick.Stop()
	var ailing telemetry.Ailing
	for {
		err := t.Current(ctx)
		if ctx.Err() != nil {
			return
		}
		ailing.Note(t.log, "reading who is erased", err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Current makes sure that the list is younger than [StaleAfter].
func (t *Tombstones) Current(ctx context.Context) error {
	if t.age() < freshFor {
		return nil
	}
	t.looking.Lock()
	defer t.looking.Unlock()
	if t.age() < freshFor {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, refreshWithin)
	defer cancel()
	err := t.refresh(ctx)
	if err != nil && t.age() < StaleAfter {
		return nil
	}
	return err
}

func (t *Tombstones) age() time.Duration {
	at := t.looked.Load()
	if at == 0 {
		return StaleAfter
	}
	return t.now().Sub(t.base) - time.Duration(at)
}

// refresh reads the blocks that changed.
func (t *Tombstones) refresh(ctx context.Context) error {
	began := t.now().Sub(t.base)
	var head headItem
	_, err := document.Load(ctx, t.docs, kindTombstones, headName, &head)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return fmt.Errorf("read the list of tombstones: %w", err)
	}
	for i, version := range head.Blocks {
		if t.has(i, version) {
			continue
		}
		var b blockItem
		stored, err := document.Load(ctx, t.docs, kindTombstones, blockName(i), &b)
		if err != nil {
			return fmt.Errorf("read tombstones: %w", err)
		}
		t.take(i, stored, &b)
	}
	t.looked.Store(max(1, int64(began)))
	return nil
}

func (t *Tombstones) has(block int, version int64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return block < len(t.blocks) && t.blocks[block] >= version
}

// take remembers a block. No tombstone ever leaves its block.
func (t *Tombstones) take(block int, version int64, b *blockItem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.blocks) <= block {
		t.blocks = append(t.blocks, 0)
	}
	if t.blocks[block] >= version {
		return
	}
	t.blocks[block] = version
	for _, e := range b.Entries {
		of := t.tenants[e.Tenant]
		if of == nil {
			of = map[Hash]grave{}
			t.tenants[e.Tenant] = of
		}
		if _, there := of[e.Hash]; !there {
			t.count.Add(1)
		}
		of[e.Hash] = grave{block: int32(block), lifted: e.Lifted} //nolint:gosec // below MaxTombstones
	}
}

// Erased reports whether a recipient is erased: where it stands, or by a tombstone that was not
// lifted before the notification was accepted. It asks nobody.
func (t *Tombstones) Erased(tenant string, r *push.Recipient, accepted time.Time) bool {
	if r.Erased() {
		return true
	}
	if t.count.Load() == 0 {
		return false
	}
	t.mu.RLock()
	some := len(t.tenants[tenant]) > 0
	t.mu.RUnlock()
	if !some {
		return false
	}
	return r.Address.Kind.IsDevice() && t.bars(tenant, t.keys.Address(tenant, r.Address), accepted) ||
		r.UserID != "" && t.bars(tenant, t.keys.User(tenant, r.UserID), accepted)
}

func (t *Tombstones) bars(tenant string, h Hash, accepted time.Time) bool {
	g, there := t.at(tenant, h)
	return there && (g.lifted == 0 || accepted.UnixMicro() < g.lifted)
}

func (t *Tombstones) at(tenant string, h Hash) (grave, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	g, there := t.tenants[tenant][h]
	return g, there
}

// Screen returns, parallel to the recipients, push.CodeUserErased for who is erased, and
// push.CodeOpen for the others and those who have registered anew.
func (t *Tombstones) Screen(ctx context.Context, tenant string, rs []push.Recipient) ([]push.Code, error) {
	if err := t.Current(ctx); err != nil {
		return nil, err
	}
	out := make([]push.Code, len(rs))
	for i := range rs {
		if t.Erased(tenant, &rs[i], t.now()) {
			out[i] = push.CodeUserErased
		}
	}
	return out, nil
}
