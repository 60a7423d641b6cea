package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// A queue may lose messages: it was purged, made anew, or restored from another moment.
// The janitor finds that in the ledger, and asks for the page by a task. The page and the
// plan have what the lost messages held, and the evidence shows how far each recipient
// got, so planning's own code makes the messages again.

// recall brings one page to its end: a recipient that is expired or cancelled gets its
// outcome; a line that the task names, and that nobody has written since, is sent anew.
func (f *Fanout) recall(ctx context.Context, t wire.Task, n push.Notification) error {
	over := !f.cfg.Now().Before(n.Deadline())
	switch s := n.Progress.State; {
	case s == push.StateUploading, s == push.StateCompleted:
		return nil
	case s == push.StateCancelled:
		return f.endPage(ctx, t, &n, push.CodeCancelled)
	case over:
		return f.endPage(ctx, t, &n, push.CodeExpired)
	case s == push.StatePaused: // resume sends what it parks
		return nil
	case s == push.StateDeadLettered:
		// What is planned of it is still to be sent, if its page can be read.
		err := f.resend(ctx, t, &n)
		if un, ok := errors.AsType[*unexpandableError](err); ok {
			f.cfg.Log.Warn("lost chunks can't be made again; they expire", about.Notification(&n), zap.Int("page", t.Page),
				zap.String("why", un.why))
			return nil
		}
		return err
	}
	return f.resend(ctx, t, &n)
}

// resend sends anew the chunks that the task names, in the order of a hand-back: first
// the message, with the turn that the line will have, then the line. After a crash in
// between, that message serves as well as the next one.
func (f *Fanout) resend(ctx context.Context, t wire.Task, n *push.Notification) error {
	stored, err := f.linesOf(ctx, n.ID, t.Page)
	if err != nil {
		return err
	}
	lost := named(t, stored)
	if len(lost) == 0 {
		return nil
	}
	rows, err := f.rows(ctx, n, t.Page)
	if err != nil {
		return err
	}
	chunks, err := cut(n, t.Page, rows, stored)
	if err != nil {
		return err
	}
	now := f.cfg.Now().UTC().Truncate(time.Microsecond)
	var msgs []worker.Outgoing
	var next []ledger.Line
	for _, i := range lost {
		if _, err := f.registry.lookUp(ctx, n.Tenant, chunks[i].Recipients, chunks[i].Index); err != nil {
			return err
		}
		line, msg, ok, err := f.again(ctx, t, n, chunks[i], stored[i], now)
		if err != nil {
			return err
		}
		if ok {
			msgs, next = append(msgs, msg), append(next, line)
		}
	}
	if err := f.deliver(ctx, n, msgs); err != nil {
		return err
	}
	for i := range next {
		err := f.cfg.Lines.SaveLine(ctx, next[i], next[i].Epoch-1, nil)
		if err != nil && !errors.Is(err, ledger.ErrFenced) { // fenced: somebody has a message after all
			return fmt.Errorf("recall %s: %w", next[i].Ref, err)
		}
	}
	f.cfg.Metrics.recalled.Add(float64(len(next)))
	return nil
}

// named returns which of a page's lines, by position, are open and still as they
// were when the task was written.
func named(t wire.Task, lines []ledger.Line) []int {
	var found []int
	for at, chunk := range t.Chunks {
		if chunk < len(lines) && lines[chunk].Epoch == t.Epochs[at] && lines[chunk].State != ledger.StateClosed {
			found = append(found, chunk) // lines of a page have no gaps
		}
	}
	return found
}

// again returns the line as it waits for a new message, and that message; ok is false if
// the line has a message or needs none.
func (f *Fanout) again(
	ctx context.Context, t wire.Task, n *push.Notification, chunk push.Chunk, line ledger.Line, now time.Time,
) (next ledger.Line, msg worker.Outgoing, ok bool, err error) {
	evidence, replayed, err := f.history(ctx, &line)
	if err != nil || replayed {
		return line, msg, false, err
	}
	next, err = line.Recall(now)
	if err != nil { // closed, or its owner lives
		return line, msg, false, nil //nolint:nilerr // both are what is wanted
	}
	open := stillOpen(chunk, &next)
	wait := max(0, next.Due.Sub(now))
	if wait > worker.MaxDelay {
		open.Wait, wait = wait-worker.MaxDelay, worker.MaxDelay
		open.NotBefore = next.Due // for readers that don't know Wait
	}
	open.Attempts, open.LastCode = ledger.Tries(evidence, open.Index)
	for _, try := range open.Attempts {
		open.Attempt = max(open.Attempt, try)
	}
	body, err := wire.EncodeChunk(&open, f.traceOf(t, n, &line))
	if err != nil {
		return line, msg, false, err
	}
	msg = worker.Outgoing{Body: body, Group: n.Tenant, Delay: (wait + time.Second - 1).Truncate(time.Second)}
	return next, msg, true, nil
}

// history reads a line's evidence, and reports whether a replay opened the line again:
// then its message is the replay's, which knows the letters, edits and deadline.
func (f *Fanout) history(ctx context.Context, line *ledger.Line) (evidence []ledger.Attempt, replayed bool, err error) {
	if line.Epoch == 0 {
		return nil, false, nil // never claimed
	}
	if evidence, err = f.cfg.Lines.Attempts(ctx, line.Ref); err != nil {
		return nil, false, fmt.Errorf("read the evidence of %s: %w", line.Ref, err)
	}
	for cell := range ledger.LastReopened(evidence) {
		replayed = replayed || cell < len(line.Cells) && line.Cells[cell].Open()
	}
	return evidence, replayed, nil
}

// endPage gives the open recipients of a page their outcome, without a message. A page
// that was never planned is planned for that. If the notification could not be expanded,
// only planned lines are ended.
func (f *Fanout) endPage(ctx context.Context, t wire.Task, n *push.Notification, code push.Code) error {
	lines, err := f.linesOf(ctx, n.ID, t.Page)
	if err != nil {
		return err
	}
	planned := len(lines) > 0 && lines[len(lines)-1].Last
	if !planned && n.Progress.State != push.StateDeadLettered {
		p, err := f.record(ctx, n, t.Page)
		if err != nil {
			return err
		}
		lines = p.lines
	}
	given := make(map[int]bool)
	for _, i := range named(t, lines) {
		given[i] = true
	}
	for i := range lines {
		line := &lines[i]
		if line.State == ledger.StateClaimed && !given[i] {
			continue // its owner sees to it
		}
		if code == push.CodeExpired {
			_, replayed, err := f.history(ctx, line)
			if err != nil {
				return err
			}
			if replayed { // it may have more time
				continue
			}
		}
		if err := f.conclude(ctx, n, *line, code); err != nil {
			return err
		}
	}
	if n.Progress.Pages == 1 {
		return f.sendCheck(ctx, t, *n) // which tells of the end; for more pages the janitor has sent one
	}
	return nil
}

// conclude closes a line: every open cell gets the outcome.
func (f *Fanout) conclude(ctx context.Context, n *push.Notification, line ledger.Line, code push.Code) error {
	now := f.cfg.Now().UTC()
	closed, err := line.Conclude(code, n.Guarantee == push.AtMostOnce, now)
	if err != nil { // closed, or its owner lives
		return nil //nolint:nilerr // both are what is wanted
	}
	err = f.cfg.Lines.SaveLine(ctx, closed, line.Epoch, nil)
	if errors.Is(err, ledger.ErrFenced) { // claimed meanwhile, so its owner's
		return nil
	}
	if err != nil {
		return fmt.Errorf("conclude %s: %w", line.Ref, err)
	}
	for i, c := range line.Cells {
		if c.Open() {
			f.cfg.Metrics.settled(closed.Cells[i].Code(), 1)
		}
	}
	f.announce(ctx, n, []ledger.Line{closed}, now)
	return nil
}
