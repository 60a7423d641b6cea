package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// What was accepted over a quota is deferred: it counts when it is planned, page by page, and a page waits until there is
// room for it. It waits as a message of its queue, which comes again: so it survives whoever waits for it, costs no more than
// a message every quarter of an hour, and needs no clock that rings. A page that has a line in the ledger was counted; a
// crash between the two counts it twice, which is on the safe side.

// Quotas count what was deferred.
type Quotas interface {
	// Start counts a part of a deferred notification. wait > 0 says that nothing was counted, and when it may be
	// tried again; first, that it was not tried before.
	Start(ctx context.Context, c push.Charge, first bool) (wait time.Duration, err error)
	// Undo takes back what was counted of something that was not planned.
	Undo(ctx context.Context, c push.Charge)
}

// laterError says that a page has to wait for a quota.
type laterError struct{ wait time.Duration }

func (e *laterError) Error() string { return fmt.Sprintf("over a quota for %s", e.wait) }

// count counts a page of a deferred notification, unless it was, or nothing of it is sent any more. The
// returned function takes that back. The error may be a laterError.
func (f *Fanout) count(ctx context.Context, t *wire.Task, n *push.Notification, page int) (undo func(), err error) {
	none := func() {}
	if !n.Deferred || f.cfg.Quotas == nil || n.Progress.State == push.StateCancelled || !f.cfg.Now().Before(n.Deadline()) {
		return none, nil
	}
	lines, err := f.cfg.Lines.Lines(ctx, n.ID, page*push.ChunksPerPage, 1)
	if err != nil {
		return none, fmt.Errorf("look whether page %d was counted: %w", page, err)
	}
	if len(lines) > 0 && lines[0].Ref.Seq < (page+1)*push.ChunksPerPage {
		return none, nil
	}
	c := n.PageCharge(page)
	wait, err := f.cfg.Quotas.Start(ctx, c, t.Turn == 0)
	if err != nil {
		return none, fmt.Errorf("count page %d: %w", page, err)
	}
	if wait > 0 {
		// What expires meanwhile is told at its time, and not when the quota is free.
		return none, &laterError{min(wait, max(n.Deadline().Sub(f.cfg.Now()), time.Second))}
	}
	return func() { f.cfg.Quotas.Undo(context.WithoutCancel(ctx), c) }, nil
}

// later has the task come again when its page may be counted.
func later(t wire.Task, wait time.Duration) (worker.Verdict, error) {
	t.Turn++
	body, err := wire.EncodeTask(t)
	if err != nil {
		return worker.Verdict{}, err
	}
	return worker.RetryAfter((wait + time.Second - 1).Truncate(time.Second), body), nil
}
