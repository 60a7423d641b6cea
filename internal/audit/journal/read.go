package journal

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// Filter chooses entries. The zero filter chooses all.
type Filter struct {
	Actions    []string // any of these
	Kind       audit.Kind
	Who        string // the caller's name, or the id of its key
	TargetKind string
	TargetID   string
	Since      time.Time // this time or later
	Until      time.Time // before this time
}

// Matches reports whether an entry is chosen.
func (f *Filter) Matches(e *audit.Entry) bool {
	return (len(f.Actions) == 0 || slices.Contains(f.Actions, e.Action)) &&
		(f.Kind == "" || f.Kind == e.Kind) &&
		(f.Who == "" || f.Who == e.Who.Name || f.Who == e.Who.Key) &&
		(f.TargetKind == "" || f.TargetKind == e.Target.Kind) &&
		(f.TargetID == "" || f.TargetID == e.Target.ID) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || e.Time.Before(f.Until))
}

// Reader finds entries. It is safe for concurrent use.
type Reader struct {
	store audit.Store
}

// NewReader returns a reader of what the store has.
func NewReader(s audit.Store) *Reader { return &Reader{store: s} }

const (
	blocksPerRead = 20
	// mostLooked bounds the blocks that one page looks at, so that a filter that chooses nothing does not read the whole log.
	mostLooked = 400
)

// List returns up to limit entries that the filter chooses, the newest first, with a Seq
// below before, and the Seq that the next page is to give as before: 0 at the end. A page may
// have fewer entries, or none, and still not be the last: it stops after some hundreds of blocks.
func (r *Reader) List(ctx context.Context, tenant string, f *Filter, before int64, limit int) (found []audit.Entry, next int64, err error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	point, err := r.Checkpoint(ctx, tenant)
	if err != nil {
		return nil, 0, err
	}
	for looked := 0; looked < mostLooked; looked += blocksPerRead {
		blocks, err := r.store.AuditBlocksBefore(ctx, tenant, before, blocksPerRead)
		if err != nil {
			return nil, 0, err
		}
		for i := range blocks {
			for _, l := range slices.Backward(blocks[i].Lines) {
				var e audit.Entry
				if json.Unmarshal(l.Entry, &e) != nil || e.Seq >= before || !f.Matches(&e) {
					continue
				}
				if e.Seq <= point.Seq { // its removal is under way
					return found, 0, nil
				}
				if found = append(found, e); len(found) == limit {
					return found, e.Seq, nil
				}
			}
		}
		if len(blocks) < blocksPerRead {
			return found, 0, nil
		}
		before = blocks[len(blocks)-1].First
	}
	return found, before, nil
}

// Part is a piece of a chain as it is exported: an entry, a head, or a checkpoint.
type Part struct {
	Line    *audit.Line
	Head    *audit.Head
	Removed *audit.Checkpoint
	// Block is the First of the block that an entry or head stands in.
	Block int64
}

// Export returns the chain as it is stored, from the block that has the entry from on, with
// every block's head behind it. It ends with what there is when it comes there. Where entries
// are not there that a checkpoint says were removed, the checkpoint stands: at the beginning,
// and wherever retention is faster than who reads.
func (r *Reader) Export(ctx context.Context, tenant string, from int64) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		e := exporting{r, tenant, yield}
		if err := e.run(ctx, max(from, 1)); err != nil && !errors.Is(err, errEnough) {
			yield(Part{}, err)
		}
	}
}

type exporting struct {
	*Reader

	tenant string
	yield  func(Part, error) bool
}

var errEnough = errors.New("whoever reads has enough")

func (e *exporting) add(p Part) error {
	if !e.yield(p, nil) {
		return errEnough
	}
	return nil
}

func (e *exporting) run(ctx context.Context, from int64) error {
	expected := from
	for first := true; ; first = false {
		blocks, err := e.store.AuditBlocks(ctx, e.tenant, from, blocksPerRead)
		if err != nil {
			return err
		}
		for i := range blocks {
			b := &blocks[i]
			if b.First > expected {
				if expected, err = e.removed(ctx, expected); err != nil {
					return err
				}
			}
			if err := e.block(b); err != nil {
				return err
			}
			from, expected = b.First+1, max(expected, b.Head.Seq+1)
		}
		if len(blocks) < blocksPerRead {
			if first && len(blocks) == 0 {
				_, err = e.removed(ctx, expected)
			}
			return err
		}
	}
}

// removed adds the checkpoint if it is about what is expected, and returns what is behind it.
func (e *exporting) removed(ctx context.Context, expected int64) (int64, error) {
	c, err := e.Checkpoint(ctx, e.tenant)
	if err != nil || c.Seq < expected {
		return expected, err
	}
	return c.Seq + 1, e.add(Part{Removed: &c})
}

func (e *exporting) block(b *audit.Block) error {
	for n := range b.Lines {
		if err := e.add(Part{Line: &b.Lines[n], Block: b.First}); err != nil {
			return err
		}
	}
	return e.add(Part{Head: &b.Head, Block: b.First})
}

// Checkpoint returns the tenant's checkpoint, the zero one if nothing was removed. It is as it is stored: whether it is
// signed is the verification's to say.
func (r *Reader) Checkpoint(ctx context.Context, tenant string) (audit.Checkpoint, error) {
	c, err := r.store.AuditCheckpoint(ctx, tenant)
	if errors.Is(err, push.ErrNotFound) {
		return audit.Checkpoint{}, nil
	}
	return c, err
}

// Heads returns the heads of a tenant that were kept apart, in their order.
func (r *Reader) Heads(ctx context.Context, tenant string) iter.Seq2[audit.Head, error] {
	return func(yield func(audit.Head, error) bool) {
		const page = 1000
		for after := int64(0); ; {
			heads, err := r.store.AuditHeads(ctx, tenant, after, page)
			if err != nil {
				yield(audit.Head{}, err)
				return
			}
			for _, h := range heads {
				if !yield(h, nil) {
					return
				}
				after = h.Seq
			}
			if len(heads) < page {
				return
			}
		}
	}
}

// Tenants returns the tenants that have a log.
func (r *Reader) Tenants(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		const page = 100
		for after := ""; ; {
			names, err := r.store.AuditTenants(ctx, after, page)
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
				after = name
			}
			if len(names) == 0 {
				return
			}
		}
	}
}
