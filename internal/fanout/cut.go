package fanout

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// leastPaced is how many recipients a chunk of a throttled batch may have, how
// slow it may be: smaller ones would make a line of the ledger for everyone.
const leastPaced = 20

// chunkRecipients is the most that a chunk may have. Of a throttled batch that
// is what is sent in a second, because messages are delayed by whole seconds.
func chunkRecipients(n *push.Notification) int {
	if n.PerSecond <= 0 {
		return push.MaxChunkRecipients
	}
	return min(max(n.PerSecond, leastPaced), push.MaxChunkRecipients)
}

// cut divides a page into chunks: first as the stored lines say, the rest by
// count and bytes. That depends on nothing but the rows, so that a second run
// cuts at the same places.
//
// A page without recipients, because every line of it was refused, becomes one
// empty chunk: its line says that the page is planned.
func cut(n *push.Notification, page int, rows []push.Recipient, stored []ledger.Line) ([]push.Chunk, error) {
	var chunks []push.Chunk
	start := 0
	take := func(end int) {
		index := make([]int, end-start)
		for i := range index {
			index[i] = i
		}
		chunks = append(chunks, push.Chunk{
			Ref:    push.ChunkRef{Notification: n.ID, Seq: page*push.ChunksPerPage + len(chunks)},
			Tenant: n.Tenant, Recipients: rows[start:end], Index: index, Attempt: 1,
		})
		start = end
	}
	for i := range stored {
		end := start + len(stored[i].Cells)
		if end > len(rows) || stored[i].Last && end < len(rows) {
			return nil, &unexpandableError{fmt.Sprintf("page %d has %d recipients, but was planned with %d up to chunk %d", page, len(rows), end, stored[i].Ref.Seq)}
		}
		take(end)
	}
	for most := chunkRecipients(n); start < len(rows); {
		take(start + fitting(rows[start:], most))
	}
	if len(chunks) == 0 {
		take(0)
	}
	if len(chunks) > push.ChunksPerPage {
		return nil, &unexpandableError{fmt.Sprintf("page %d resolves to %d chunks, at most %d fit: upload smaller pages", page, len(chunks), push.ChunksPerPage)}
	}
	return chunks, nil
}

// fitting returns how many of the rows, at least one, fit into a chunk.
func fitting(rows []push.Recipient, most int) int {
	n, size := 0, 0
	for n < len(rows) && n < most {
		size += wire.RecipientBytes(&rows[n])
		if size > push.MaxChunkBytes && n > 0 {
			break
		}
		n++
	}
	return n
}

// plans returns the plans of the chunks that are not stored, with the outcomes
// that are known before anything is sent. For that, and to know which devices
// want their last success renewed, it looks addresses up in the registry; not
// those of stored chunks that are not sent now.
func (f *Fanout) plans(ctx context.Context, n *push.Notification, chunks []push.Chunk, stored []ledger.Line) ([]ledger.Plan, error) {
	seen := make(map[push.Address]struct{})
	var plans []ledger.Plan
	lastLine := int64(-1)
	for i := range chunks {
		c := &chunks[i]
		old := i < len(stored)
		var cells []ledger.Cell
		if !old || waits(&stored[i]) {
			var err error
			if cells, err = f.screen(ctx, n.Tenant, c.Recipients, seen); err != nil {
				return nil, err
			}
		}
		p := ledger.Plan{Ref: c.Ref, Tenant: n.Tenant, Last: i == len(chunks)-1, Hashes: make([]uint64, len(c.Recipients)), Cells: cells}
		if len(c.Recipients) > 0 {
			p.FirstLine = c.Recipients[0].Line
		}
		for j := range c.Recipients {
			r := &c.Recipients[j]
			if r.Line != lastLine { // the first row of its source
				p.Sources++
				lastLine = r.Line
			}
			if old {
				seen[r.Address] = struct{}{}
				continue
			}
			if !r.Address.IsZero() {
				p.Hashes[j] = r.Address.Hash()
			}
			if n.Progress.State == push.StateCancelled && cells[j].Open() {
				cells[j] = ledger.CellOf(push.CodeCancelled, false)
			}
		}
		if !old {
			plans = append(plans, p)
		}
	}
	return plans, nil
}
