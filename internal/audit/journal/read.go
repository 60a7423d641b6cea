package journal

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/audit"
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

// Part is a piece of a chain as it is exported: an entry, or a head.
type Part struct {
	Line *audit.Line
	Head *audit.Head
	// Block is the First of the block that it stands in.
	Block int64
}

// Export returns the chain as it is stored, from the block that has the entry from on, with
// every block's head behind it. It ends with what there is when it comes there.
func (r *Reader) Export(ctx context.Context, tenant string, from int64) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		for {
			blocks, err := r.store.AuditBlocks(ctx, tenant, from, blocksPerRead)
			if err != nil {
				yield(Part{}, err)
				return
			}
			for i := range blocks {
				b := &blocks[i]
				for n := range b.Lines {
					if !yield(Part{Line: &b.Lines[n], Block: b.First}, nil) {
						return
					}
				}
				if !yield(Part{Head: &b.Head, Block: b.First}, nil) {
					return
				}
				from = b.First + 1
			}
			if len(blocks) < blocksPerRead {
				return
			}
		}
	}
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
