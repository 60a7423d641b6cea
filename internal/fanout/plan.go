package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// planPage plans one page of a notification and sends its open chunks. For a
// cancelled notification it gives every open recipient that nobody is sending
// to the outcome cancelled instead.
func (f *Fanout) planPage(ctx context.Context, t wire.Task, n push.Notification, page int) error {
	rows, err := f.rows(ctx, &n, page)
	if err != nil {
		return err
	}
	chunks := cut(&n, page, rows)
	if len(chunks) > push.ChunksPerPage {
		return &unexpandableError{fmt.Sprintf("page %d resolves to %d chunks, at most %d fit: upload smaller pages", page, len(chunks), push.ChunksPerPage)}
	}
	cancelled := n.Progress.State == push.StateCancelled
	plans, err := f.plans(ctx, &n, chunks, cancelled)
	if err != nil {
		return err
	}
	now := f.Now().UTC().Truncate(time.Microsecond) // what every store keeps: plan compares it
	lines, err := f.Lines.Plan(ctx, plans, now)
	if err != nil {
		return fmt.Errorf("record the plan of page %d: %w", page, err)
	}
	for i := range lines {
		if planned, cells := len(lines[i].Cells), len(chunks[i].Recipients); planned != cells {
			// Sending would put outcomes into the cells of other recipients.
			return &unexpandableError{fmt.Sprintf("chunk %d was planned with %d recipients and is cut with %d now", lines[i].Ref.Seq, planned, cells)}
		}
	}
	f.Metrics.plan(lines, now)
	if cancelled {
		return f.cancel(ctx, lines)
	}
	return f.dispatch(ctx, t, n, chunks, lines)
}

// dispatch sends the chunks whose lines wait for a message. A line that is
// waiting or claimed has one on the queue already.
func (f *Fanout) dispatch(ctx context.Context, t wire.Task, n push.Notification, chunks []push.Chunk, lines []ledger.Line) error {
	var msgs []worker.Outgoing
	open := 0
	for i := range lines {
		line := &lines[i]
		if line.State != ledger.StateClosed {
			open++
		}
		if line.State != ledger.StatePlanned && line.State != ledger.StateParked {
			continue
		}
		chunk := stillOpen(chunks[i], line)
		body, err := wire.EncodeChunk(&chunk, t.TraceParent)
		if err != nil {
			return err
		}
		msgs = append(msgs, worker.Outgoing{Body: body, Group: n.Tenant})
	}
	sink, ok := f.Chunks[n.Lane()]
	if !ok {
		return fmt.Errorf("no queue for lane %s", n.Lane())
	}
	if err := sendAll(ctx, sink, msgs); err != nil {
		return err
	}
	switch {
	case n.Progress.Pages != 1:
		return nil // spread has sent the check
	case open == 0:
		counts, err := f.Notifications.Counts(ctx, n.ID)
		if err != nil {
			return err
		}
		return f.complete(ctx, n, counts)
	case len(chunks) > 1:
		check, err := f.checkLater(n, 0, t.TraceParent)
		if err != nil {
			return err
		}
		return sendAll(ctx, f.Tasks, []worker.Outgoing{check})
	}
	return nil // deliver completes a notification of one chunk itself
}

// stillOpen returns the chunk with just the recipients whose cells are open.
func stillOpen(c push.Chunk, line *ledger.Line) push.Chunk {
	out := c
	out.Recipients, out.Index = nil, nil
	for i := range c.Recipients {
		if i < len(line.Cells) && line.Cells[i].Open() {
			out.Recipients = append(out.Recipients, c.Recipients[i])
			out.Index = append(out.Index, i)
		}
	}
	out.Attempt, out.Turn = max(line.Attempt, 1), line.Turn
	return out
}

// cancel settles what nobody is sending. A claimed line is its owner's: it sees
// the cancellation within half a second, and its results are not thrown away.
func (f *Fanout) cancel(ctx context.Context, lines []ledger.Line) error {
	for i := range lines {
		line := lines[i]
		if line.State == ledger.StateClosed || line.State == ledger.StateClaimed {
			continue
		}
		now := f.Now().UTC()
		claimed, err := line.Claim("cancel", line.Turn, now)
		if err != nil {
			return err
		}
		for cell := range claimed.Cells {
			claimed.Settle(cell, push.CodeCancelled, false)
		}
		err = f.Lines.SaveLine(ctx, claimed.Close(now), line.Epoch, nil)
		switch {
		case err == nil:
			f.Metrics.settled(push.CodeCancelled, line.OpenCount())
		case !errors.Is(err, ledger.ErrFenced): // fenced: claimed meanwhile, so its owner's
			return fmt.Errorf("cancel %s: %w", line.Ref, err)
		}
	}
	return nil
}

// cut divides a page into chunks by count and bytes. It depends on nothing but
// the rows, so that a second run cuts at the same places.
//
// A page without recipients, because every line of it was refused, becomes one
// empty chunk: its line says that the page is planned.
func cut(n *push.Notification, page int, rows []push.Recipient) []push.Chunk {
	if len(rows) == 0 {
		return []push.Chunk{{Ref: push.ChunkRef{Notification: n.ID, Seq: page * push.ChunksPerPage}, Tenant: n.Tenant, Attempt: 1}}
	}
	var chunks []push.Chunk
	for start := 0; start < len(rows); {
		end, size := start, 0
		for end < len(rows) && end-start < push.MaxChunkRecipients {
			size += wire.RecipientBytes(&rows[end])
			if size > push.MaxChunkBytes && end > start {
				break
			}
			end++
		}
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
	return chunks
}

// plans looks every address up in the registry and returns the chunks' plans,
// with the outcomes that are known before anything is sent.
func (f *Fanout) plans(ctx context.Context, n *push.Notification, chunks []push.Chunk, cancelled bool) ([]ledger.Plan, error) {
	seen := make(map[push.Address]struct{})
	plans := make([]ledger.Plan, len(chunks))
	lastLine := int64(-1)
	for i := range chunks {
		c := &chunks[i]
		cells, err := f.screen(ctx, n.Tenant, c.Recipients, seen)
		if err != nil {
			return nil, err
		}
		p := ledger.Plan{
			Ref: c.Ref, Tenant: n.Tenant, Last: i == len(chunks)-1,
			Hashes: make([]uint64, len(c.Recipients)), Cells: cells,
		}
		if len(c.Recipients) > 0 {
			p.FirstLine = c.Recipients[0].Line
		}
		for j := range c.Recipients {
			r := &c.Recipients[j]
			if !r.Address.IsZero() {
				p.Hashes[j] = r.Address.Hash()
			}
			if r.Line != lastLine { // the first row of its source
				p.Sources++
				lastLine = r.Line
			}
			if cancelled && cells[j].Open() {
				cells[j] = ledger.CellOf(push.CodeCancelled, false)
			}
		}
		plans[i] = p
	}
	return plans, nil
}
