package fanout

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// leastPaced is the least size of a throttled batch's chunk, however slow the batch:
// smaller chunks would need a ledger line for almost every recipient.
const leastPaced = 20

// chunkRecipients returns how many recipients a chunk may have. In a throttled batch
// that is as many as are sent in a second, because queues delay messages by whole
// seconds.
func chunkRecipients(n *push.Notification) int {
	if n.PerSecond <= 0 {
		return push.MaxChunkRecipients
	}
	return min(max(n.PerSecond, leastPaced), push.MaxChunkRecipients)
}

// cut divides a page into chunks: first as the stored lines say, the rest by count and
// bytes. The result depends on the rows only, so a second run cuts at the same places.
//
// A page without recipients, because each of its lines was refused, becomes one empty
// chunk: its ledger line says that the page is planned.
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
			return nil, &unexpandableError{
				fmt.Sprintf("page %d has %d recipients, but was planned with %d up to chunk %d", page, len(rows), end, stored[i].Ref.Seq),
			}
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
		return nil, &unexpandableError{
			fmt.Sprintf("page %d resolves to %d chunks, at most %d fit: upload smaller pages", page, len(chunks), push.ChunksPerPage),
		}
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

// plansOf returns the plans of the chunks that are not stored, with the outcomes
// that are known without the registry: duplicates, and rows without an address.
func plansOf(n *push.Notification, chunks []push.Chunk, stored []ledger.Line) []ledger.Plan {
	seen := make(map[push.Address]struct{})
	var plans []ledger.Plan
	lastLine := int64(-1)
	for i := range chunks {
		rs := chunks[i].Recipients
		p := ledger.Plan{Ref: chunks[i].Ref, Tenant: n.Tenant, Last: i == len(chunks)-1}
		if len(rs) > 0 {
			p.FirstLine = rs[0].Line
		}
		for j := range rs {
			if rs[j].Line != lastLine { // the first row of its source
				p.Sources++
				lastLine = rs[j].Line
			}
		}
		if i < len(stored) {
			for j := range rs {
				seen[rs[j].Address] = struct{}{}
			}
			continue
		}
		p.Cells, p.Hashes = screen(rs, seen), hashes(rs)
		plans = append(plans, p)
	}
	return plans
}

// screen returns the cells of a chunk's recipients: open, or an outcome that needs no
// sending. Duplicates are the rows that the upload has marked, and rows of the page that
// resolved to an address that an earlier row has: seen.
func screen(rs []push.Recipient, seen map[push.Address]struct{}) []ledger.Cell {
	cells := make([]ledger.Cell, len(rs))
	for i := range rs {
		a := rs[i].Address
		_, twice := seen[a]
		switch {
		case rs[i].DuplicateOf > 0:
			cells[i] = ledger.CellOf(push.CodeDuplicate, false)
		case a.IsZero():
			cells[i] = ledger.CellOf(push.CodeNoDevice, false)
		case twice:
			cells[i] = ledger.CellOf(push.CodeDuplicate, false)
		default:
			seen[a] = struct{}{}
		}
	}
	return cells
}

// hashes returns the hashes of the recipients' addresses, 0 where there is none.
func hashes(rs []push.Recipient) []uint64 {
	all := make([]uint64, len(rs))
	for i := range rs {
		if a := rs[i].Address; !a.IsZero() {
			all[i] = a.Hash()
		}
	}
	return all
}

// endPlan gives the open cells of a plan an outcome.
func endPlan(p *ledger.Plan, code push.Code) {
	for i := range p.Cells {
		if p.Cells[i].Open() {
			p.Cells[i] = ledger.CellOf(code, false)
		}
	}
}
