package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// planPage plans one page of a notification and sends its open chunks. If the
// notification is cancelled, it gives the outcome cancelled to every open recipient that
// nobody is sending to.
func (f *Fanout) planPage(ctx context.Context, t wire.Task, n push.Notification, page int) error {
	p, err := f.recordCounted(ctx, &t, &n, page)
	if err != nil {
		return err
	}
	if n.Progress.State == push.StateCancelled {
		return f.cancelPage(ctx, t, &n, p.lines)
	}
	return f.dispatch(ctx, t, n, p)
}

// recordCounted counts a page that was deferred, and plans it. The error may be a laterError.
func (f *Fanout) recordCounted(ctx context.Context, t *wire.Task, n *push.Notification, page int) (planned, error) {
	undo, err := f.count(ctx, t, n, page)
	if err != nil {
		return planned{}, err
	}
	p, err := f.record(ctx, n, page)
	if err != nil {
		undo()
	}
	return p, err
}

// planned is a page as the ledger has it: its chunks and, parallel, their lines.
type planned struct {
	chunks []push.Chunk
	lines  []ledger.Line
}

// record plans a page, unless it is planned already, and returns the plan.
//
// Stored lines stay as they are, and chunks are cut where they say: so the recipients of
// a line stay the same, even if the size of a chunk or the registry changes.
func (f *Fanout) record(ctx context.Context, n *push.Notification, page int) (planned, error) {
	rows, err := f.rows(ctx, n, page)
	if err != nil {
		return planned{}, err
	}
	stored, err := f.stored(ctx, n.ID, page)
	if err != nil {
		return planned{}, err
	}
	chunks, err := cut(n, page, rows, stored)
	if err != nil {
		return planned{}, err
	}
	plans := plansOf(n, chunks, stored)
	if err := f.sparingErased(ctx, n, chunks, plans); err != nil {
		return planned{}, err
	}
	if err := f.screenAll(ctx, n.Tenant, chunks, stored, plans); err != nil {
		return planned{}, err
	}
	if n.Progress.State == push.StateCancelled {
		for i := range plans {
			endPlan(&plans[i], push.CodeCancelled)
		}
	}
	if len(plans) == 0 {
		return planned{chunks, stored}, nil
	}
	now := f.cfg.Now().UTC().Truncate(time.Microsecond) // what every store keeps: plan compares it
	lines, err := f.cfg.Lines.Plan(ctx, plans, now)
	if err != nil {
		return planned{}, fmt.Errorf("record the plan of page %d: %w", page, err)
	}
	for i := range lines {
		if recorded, cells := len(lines[i].Cells), len(plans[i].Cells); recorded != cells {
			// Sending would put outcomes into the cells of other recipients.
			return planned{}, &unexpandableError{
				fmt.Sprintf("chunk %d was planned with %d recipients and is cut with %d now", lines[i].Ref.Seq, recorded, cells),
			}
		}
	}
	f.cfg.Metrics.plan(lines, now)
	f.announce(ctx, n, lines, now)
	return planned{chunks, append(stored, lines...)}, nil
}

// stored returns the lines of a page that are planned already. A single notification has
// few chunks, and a repeated task cuts them at the same places, so no query is made
// before they exist.
func (f *Fanout) stored(ctx context.Context, id push.ID, page int) ([]ledger.Line, error) {
	if !id.IsBatch() {
		return nil, nil
	}
	return f.linesOf(ctx, id, page)
}

// linesOf returns the lines of a page up to the first missing one: a crash while they
// were recorded in parallel may have left a gap, which the next planning of the page
// closes.
func (f *Fanout) linesOf(ctx context.Context, id push.ID, page int) ([]ledger.Line, error) {
	const few, many = 16, 256 // a page is mostly six chunks
	var all []ledger.Line
	for from, limit := page*push.ChunksPerPage, few; ; limit = many {
		lines, err := f.cfg.Lines.Lines(ctx, id, from+len(all), limit)
		if err != nil {
			return nil, fmt.Errorf("read what is planned of page %d: %w", page, err)
		}
		for i := range lines {
			if lines[i].Ref.Seq != page*push.ChunksPerPage+len(all) {
				return all, nil
			}
			all = append(all, lines[i])
		}
		if len(lines) < limit || all[len(all)-1].Last {
			return all, nil
		}
	}
}

// announce publishes the outcomes of lines that were planned at now and need no sending.
func (f *Fanout) announce(ctx context.Context, n *push.Notification, lines []ledger.Line, now time.Time) {
	if f.cfg.Settled == nil {
		return
	}
	for i := range lines {
		if l := &lines[i]; l.State == ledger.StateClosed && len(l.Cells) > 0 && l.UpdatedAt.Equal(now) {
			f.cfg.Settled(ctx, n, l, nil)
		}
	}
}

// waits reports whether a line waits for a message. A line in state waiting or claimed
// has one on the queue already; a planned line may have one.
func waits(l *ledger.Line) bool {
	return l.State == ledger.StatePlanned || l.State == ledger.StateParked
}

// sends reports whether a line waits for a message that planning makes. The message of a
// line that a replay opened, and that was parked since, is the replay's.
func (f *Fanout) sends(ctx context.Context, line *ledger.Line) (bool, error) {
	if line.State != ledger.StateParked {
		return waits(line), nil
	}
	_, replayed, err := f.history(ctx, line)
	return !replayed, err
}

// message returns what is sent for a line that waits.
func (f *Fanout) message(t wire.Task, n *push.Notification, chunk push.Chunk, line *ledger.Line) (worker.Outgoing, error) {
	open := stillOpen(chunk, line)
	if line.State == ledger.StatePlanned && !t.QueuedAt.After(line.UpdatedAt) { // it is the task that planned it
		open.PlanQueuedAt = t.QueuedAt
	}
	body, err := wire.EncodeChunk(&open, f.traceOf(t, n, line))
	return worker.Outgoing{Body: body, Group: n.Tenant}, err
}

// dispatch sends the chunks whose lines wait for a message.
func (f *Fanout) dispatch(ctx context.Context, t wire.Task, n push.Notification, p planned) error {
	var msgs []worker.Outgoing
	open := 0
	for i := range p.lines {
		line := &p.lines[i]
		if line.State != ledger.StateClosed {
			open++
		}
		ours, err := f.sends(ctx, line)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		msg, err := f.message(t, &n, p.chunks[i], line)
		if err != nil {
			return err
		}
		msgs = append(msgs, msg)
	}
	if err := f.deliver(ctx, &n, msgs); err != nil {
		return err
	}
	switch {
	case n.Progress.Pages != 1 || stepwise(&n):
		return nil // spread, or the last release, sends the check
	case open == 0:
		counts, err := f.cfg.Notifications.Counts(ctx, n.ID)
		if err != nil {
			return err
		}
		return f.complete(ctx, n, counts)
	case len(p.chunks) > 1:
		return f.sendCheck(ctx, t, n)
	}
	return nil // deliver completes a notification of one chunk itself
}

func (f *Fanout) sendCheck(ctx context.Context, t wire.Task, n push.Notification) error {
	check, err := f.checkLater(n, 0, t.TraceParent)
	if err != nil {
		return err
	}
	return worker.SendAll(ctx, f.cfg.Tasks, []worker.Outgoing{check})
}

// deliver puts chunk messages on the notification's lane.
func (f *Fanout) deliver(ctx context.Context, n *push.Notification, msgs []worker.Outgoing) error {
	sink, ok := f.cfg.Chunks[n.Lane()]
	if !ok {
		return fmt.Errorf("no queue for lane %s", n.Lane())
	}
	return worker.SendAll(ctx, sink, msgs)
}

// stillOpen returns the chunk with just the recipients whose cells are open.
func stillOpen(c push.Chunk, line *ledger.Line) push.Chunk {
	out := c
	open := min(line.OpenCount(), len(c.Recipients))
	out.Recipients, out.Index = make([]push.Recipient, 0, open), make([]int, 0, open)
	for i := range c.Recipients {
		if i < len(line.Cells) && line.Cells[i].Open() {
			out.Recipients = append(out.Recipients, c.Recipients[i])
			out.Index = append(out.Index, i)
		}
	}
	out.Attempt, out.Turn = max(line.Attempt, 1), line.Turn
	return out
}

// cancelPage settles the lines that nobody is sending. A claimed line is left to its
// owner, which sees the cancellation within half a second, so that no result is lost.
func (f *Fanout) cancelPage(ctx context.Context, t wire.Task, n *push.Notification, lines []ledger.Line) error {
	for i := range lines {
		if lines[i].State == ledger.StateClaimed {
			continue
		}
		if err := f.conclude(ctx, n, lines[i], push.CodeCancelled); err != nil {
			return err
		}
	}
	if n.Progress.Pages == 1 {
		return f.sendCheck(ctx, t, *n) // which tells of the end; for more pages spread has sent it
	}
	return nil
}
