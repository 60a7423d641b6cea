package privacy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

const (
	// walkPage is how many notifications are looked into between two notes of how far it is.
	walkPage = 200
	// walkers is how many notifications are looked into at a time: most of a look is waiting for
	// the store, and writes at the same time share a commit. Of batches it is fewer, because a page
	// of one takes 15 MB in memory.
	walkers, batchWalkers = 64, 2
	// planBatch is how many plans are read at once: half a megabyte of hashes.
	planBatch = 128
)

// found is what one notification has of a person.
type found struct {
	n *push.Notification
	// sources are the recipients of its target that are meant, by their place; nil for a batch.
	sources map[int]bool
	pages   []foundPage
	chunks  []foundChunk
	loose   int64 // recipients that are meant and not planned yet
	counts  Counts
}

// foundPage is a stored page that has the person.
type foundPage struct {
	kind push.PageKind
	n    int
	data []byte
	rows map[int]bool
}

// foundChunk is a plan that has the person.
type foundChunk struct {
	ref     push.ChunkRef
	cells   []int
	stale   []int // those of cells whose hash is not the mark yet
	planned []ledger.Cell
}

// walk looks into a page of the tenant's notifications, newest first, and calls visit for each
// that has the person, several at a time. It returns the cursor of what comes next, "" at the end.
// A page costs one listing, and for each notification its plans and pages: O(lines). Nothing has
// an index by recipient, because that would cost a write per recipient sent to.
func (r *Room) walk(ctx context.Context, p *person, cursor string,
	visit func(ctx context.Context, f *found) error,
) (Counts, string, error) {
	ns, next, err := r.cfg.Notifications.Notifications(ctx, p.q.Tenant, cursor, walkPage)
	if err != nil {
		return Counts{}, "", fmt.Errorf("list notifications: %w", err)
	}
	var sum Counts
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(walkers)
	batches := make(chan struct{}, batchWalkers)
	for i := range ns {
		n := &ns[i]
		if n.AcceptedAt.Before(p.q.Since) {
			next = "" // the others are older still
			break
		}
		group.Go(func() error {
			if n.ID.IsBatch() {
				batches <- struct{}{}
				defer func() { <-batches }()
			}
			f, err := r.lookInto(ctx, p, n)
			if err != nil {
				return fmt.Errorf("look into %s: %w", n.ID, err)
			}
			if f.counts.Deliveries+f.counts.PageRows > 0 {
				f.counts.Notifications = 1
				err = visit(ctx, f)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.add(&f.counts)
			return err
		})
	}
	return sum, next, group.Wait()
}

// lookInto finds the person in a notification.
func (r *Room) lookInto(ctx context.Context, p *person, n *push.Notification) (*found, error) {
	f := &found{n: n}
	var inline []push.Recipient
	if !n.ID.IsBatch() {
		if n.Target.Audience() {
			return f, nil
		}
		inline = n.Target.Recipients()
		f.sources = p.rows(inline)
	}
	plans := planReader{Room: r, id: n.ID}
	for page := range max(1, n.Progress.Pages) {
		rows, err := r.lookPage(ctx, p, f, inline, page)
		if err != nil {
			return f, err
		}
		if err := r.lookPlans(ctx, p, f, &plans, page, rows); err != nil {
			return f, err
		}
	}
	return f, nil
}

// lookPage finds the person in the pages of recipients, and returns the rows that plans were, or
// will be, made of; nil if they are not kept any more.
func (r *Room) lookPage(ctx context.Context, p *person, f *found, inline []push.Recipient, page int) ([]push.Recipient, error) {
	rows := inline
	for _, kind := range []push.PageKind{push.PageUpload, push.PagePlan} {
		if kind == push.PageUpload && !f.n.ID.IsBatch() {
			continue
		}
		data, err := r.cfg.Pages.Page(ctx, f.n.ID, kind, page)
		if errors.Is(err, push.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s page %d: %w", kind, page, err)
		}
		rs, err := wire.DecodeRecipients(data)
		if err != nil { // broken, or of a newer program: nothing sends from it either
			f.counts.Skipped++
			continue
		}
		rows = rs
		if hits := p.rows(rs); len(hits) > 0 {
			f.pages = append(f.pages, foundPage{kind, page, data, hits})
			f.counts.PageRows += int64(len(hits))
		}
	}
	return rows, nil
}

// lookPlans finds the person in the plans of a page: by the rows that they were cut from, and by
// the hashes of addresses.
func (r *Room) lookPlans(ctx context.Context, p *person, f *found, plans *planReader, page int, rows []push.Recipient) error {
	hits := p.rows(rows)
	first, seq := 0, page*push.ChunksPerPage
	for {
		plan, err := plans.next(ctx, page)
		if err != nil {
			return err
		}
		if plan == nil {
			break
		}
		if plan.Ref.Seq != seq || first+len(plan.Hashes) > len(rows) {
			hits = nil // a gap, or the rows are gone: the hashes have to do
		}
		c := foundChunk{ref: plan.Ref, planned: plan.Cells}
		for i, h := range plan.Hashes {
			if !hits[first+i] && !p.cell(h) {
				continue
			}
			c.cells = append(c.cells, i)
			if h != 0 && h != p.mark {
				c.stale = append(c.stale, i)
			}
		}
		if len(c.cells) > 0 {
			f.chunks = append(f.chunks, c)
			f.counts.Deliveries += int64(len(c.cells))
		}
		first, seq = first+len(plan.Hashes), seq+1
	}
	for i := range hits {
		if i >= first {
			f.loose++
			f.counts.Deliveries++
			f.counts.Open++
		}
	}
	return nil
}

// planReader reads a notification's plans in order, some at a time.
type planReader struct {
	*Room

	id    push.ID
	ahead []ledger.Plan
	from  int
	end   bool
}

// next returns the next plan of a page, nil if it has no more.
func (r *planReader) next(ctx context.Context, page int) (*ledger.Plan, error) {
	if len(r.ahead) == 0 && !r.end {
		plans, err := r.cfg.Chunks.Plans(ctx, r.id, r.from, planBatch)
		if err != nil {
			return nil, fmt.Errorf("read plans: %w", err)
		}
		r.ahead, r.end = plans, len(plans) < planBatch
		if len(plans) > 0 {
			r.from = plans[len(plans)-1].Ref.Seq + 1
		}
	}
	if len(r.ahead) == 0 || r.ahead[0].Ref.Page() != page {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	plan := &r.ahead[0]
	r.ahead = r.ahead[1:]
	return plan, nil
}

// lines reads the lines of what was found, by chunk, and counts the open ones.
func (r *Room) lines(ctx context.Context, f *found) (map[push.ChunkRef]ledger.Line, error) {
	out := make(map[push.ChunkRef]ledger.Line, len(f.chunks))
	for i := range f.chunks {
		c := &f.chunks[i]
		ls, err := r.cfg.Chunks.Lines(ctx, f.n.ID, c.ref.Seq, 1)
		if err != nil {
			return nil, fmt.Errorf("read a line: %w", err)
		}
		if len(ls) == 0 || ls[0].Ref != c.ref {
			continue
		}
		out[c.ref] = ls[0]
		for _, cell := range c.cells {
			if cell < len(ls[0].Cells) && ls[0].Cells[cell].Open() {
				f.counts.Open++
			}
		}
	}
	return out, nil
}
