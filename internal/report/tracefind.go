package report

import (
	"context"
	"fmt"
	"sort"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// planBatch is how many plans are read at once: half a megabyte of hashes.
const planBatch = 128

// byRecipient goes through all plans. That takes only processor time, 80 ms for a million
// recipients, so half as many scans of batches run at a time as there are processors, and
// the others wait: many traces must not hold up uploads.
func (t *tracer) byRecipient(ctx context.Context) error {
	leave, err := t.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	wanted := t.key.hashes()
	if err := t.present(ctx, wanted); err != nil {
		return err
	}
	// Ids are looked up only if there is a single page: reading the pages of a big batch
	// would read all of its recipients.
	byName := t.n.Progress.Pages <= 1
	for from := 0; ; {
		plans, err := t.cfg.Chunks.Plans(ctx, t.n.ID, from, planBatch)
		if err != nil {
			return fmt.Errorf("read plans: %w", err)
		}
		for i := range plans {
			more, err := t.search(ctx, plans, i, wanted, byName)
			if err != nil || !more {
				return err
			}
		}
		if len(plans) < planBatch {
			break
		}
		from = plans[len(plans)-1].Ref.Seq + 1
	}
	if !byName && (t.key.Kind == KeyDevice || t.key.Kind == KeyUser) {
		t.note("found by the addresses that it has now; what was sent to an earlier address is found by that token, or by the upload line")
	}
	return nil
}

// enter waits for the place of a scan, if this is a batch of some size.
func (t *tracer) enter(ctx context.Context) (leave func(), err error) {
	if t.n.Progress.Pages <= 1 {
		return func() {}, nil
	}
	select {
	case t.scans <- struct{}{}:
		return func() { <-t.scans }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other traces: %w", context.Cause(ctx))
	}
}

// search adds what a plan has of the recipient.
func (t *tracer) search(ctx context.Context, plans []ledger.Plan, i int, wanted map[uint64]bool, byName bool) (bool, error) {
	p := &planned{Plan: plans[i]}
	if i+1 < len(plans) && plans[i+1].Sources == len(plans[i+1].Hashes) {
		p.nextLine = plans[i+1].FirstLine
	}
	var rows []push.Recipient
	if byName {
		var err error
		if rows, err = t.recipients(ctx, p); err != nil {
			return false, err
		}
	}
	var cells []int
	for c, h := range p.Hashes {
		named := rows != nil && (t.key.names(KeyDevice, string(rows[c].DeviceID)) || t.key.names(KeyUser, rows[c].UserID))
		if named || h != 0 && wanted[h] {
			cells = append(cells, c)
		}
	}
	return t.hits(ctx, p, cells)
}

// byLine finds the chunks of an upload line: the first lines of plans ascend
// with their sequences.
func (t *tracer) byLine(ctx context.Context) error {
	if !t.n.ID.IsBatch() {
		return push.Faults{{Pointer: "recipient", Code: push.FaultValue, Detail: "line: only a batch has upload lines"}}
	}
	var failed error
	beyond := sort.Search(t.n.Progress.Pages, func(page int) bool {
		first, err := t.cfg.Chunks.Plans(ctx, t.n.ID, page*push.ChunksPerPage, 1)
		if err != nil {
			failed = err
		}
		return err != nil || len(first) == 0 || first[0].FirstLine > t.key.Line
	})
	if failed != nil {
		return fmt.Errorf("read plans: %w", failed)
	}
	if beyond == 0 {
		return nil
	}
	plans, err := t.ofPage(ctx, beyond-1)
	if err != nil {
		return err
	}
	for i := range plans {
		begins, last := plans[i].FirstLine, i+1 == len(plans)
		if begins > t.key.Line || !last && plans[i+1].FirstLine < t.key.Line {
			continue
		}
		if more, err := t.ofLine(ctx, plans, i); err != nil || !more {
			return err
		}
	}
	return nil
}

// ofPage returns the plans of a page, and the one after them for its first line.
func (t *tracer) ofPage(ctx context.Context, page int) ([]ledger.Plan, error) {
	const usual = 24 // a page of half a megabyte has about ten chunks
	var all []ledger.Plan
	for from := page * push.ChunksPerPage; ; {
		plans, err := t.cfg.Chunks.Plans(ctx, t.n.ID, from, usual)
		if err != nil {
			return nil, fmt.Errorf("read plans: %w", err)
		}
		for i := range plans {
			if all = append(all, plans[i]); plans[i].Ref.Page() != page {
				return all, nil
			}
		}
		if len(plans) < usual {
			return all, nil
		}
		from = plans[len(plans)-1].Ref.Seq + 1
	}
}

// ofLine adds the cells of a plan that belong to the line.
func (t *tracer) ofLine(ctx context.Context, plans []ledger.Plan, i int) (bool, error) {
	p := &planned{Plan: plans[i]}
	if i+1 < len(plans) && plans[i+1].Sources == len(plans[i+1].Hashes) {
		p.nextLine = plans[i+1].FirstLine
	}
	number, err := t.numbering(ctx, p)
	if err != nil {
		return false, err
	}
	var cells []int
	unknown := false
	for c := range p.Hashes {
		n := number(c)
		unknown = unknown || n == 0
		if n == t.key.Line {
			cells = append(cells, c)
		}
	}
	if unknown && len(cells) == 0 {
		t.note(fmt.Sprintf("line %d is in chunk %d if it was accepted, but which row it became is not known any more: the upload is not kept "+
			"for good, and lines around it were blank, refused or users; ask by its token", t.key.Line, p.Ref.Seq))
	}
	return t.hits(ctx, p, cells)
}
