package batch

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Every operation is one conditional write to the notification's item, which
// decides, followed by a task for fanout, which the outbox guarantees: the write
// sets Enqueued to false, and only after the queue took the task is it set back.
// A crash anywhere leaves either nothing done or an item in the outbox, and a
// repeated call sends the task once more.

// Start ends the upload and has the batch planned and sent; its TTL begins,
// unless it began with [Batches.StartEarly]: what that set off then plans the
// rest. A batch without recipients is completed at once. Repeating it on a batch
// that was started and is accepted, sending or completed changes nothing and
// returns it as it stands, so that a caller whose answer got lost may just ask
// again. Errors are push.ErrNotFound and [push.StateError].
func (b *Batches) Start(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	n, err := b.move(ctx, tenant, id, opStart, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		switch p.State {
		case push.StateUploading:
			p.State = push.StateAccepted
			p.StartedAt = b.cfg.Now().UTC()
			p.Enqueued = false
			return p, nil
		case push.StateAccepted, push.StateSending, push.StateCompleted:
			p.Early = false
			return p, nil
		case push.StatePaused:
			if p.Early {
				// Perhaps everything that came is sent already: fanout looks.
				p.Early, p.Enqueued = false, false
				return p, nil
			}
		case push.StateCancelled, push.StateDeadLettered:
		}
		return p, illegal(n, p.State, opStart)
	})
	if err != nil {
		return push.Notification{}, err
	}
	if n.Progress.Sources == 0 {
		// A crash before this write leaves an accepted batch in the outbox, and
		// fanout completes it.
		return b.completeEmpty(ctx, id)
	}
	return b.afterwards(ctx, n), nil
}

func (b *Batches) completeEmpty(ctx context.Context, id push.ID) (push.Notification, error) {
	return ledger.Advance(ctx, b.cfg.Ledger, id, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		if push.CanMove(p.State, push.StateCompleted) {
			p.State = push.StateCompleted
			p.CompletedAt = b.cfg.Now().UTC()
			p.Enqueued = true
		}
		return p, nil
	})
}

// Pause stops sending; what FCM is being asked right now still gets its answer.
// The TTL runs on. Pausing a paused batch changes nothing. Errors are
// push.ErrNotFound and [push.StateError].
func (b *Batches) Pause(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	if err := b.open(ctx, tenant, id, opPause); err != nil {
		return push.Notification{}, err
	}
	return b.move(ctx, tenant, id, opPause, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		switch p.State {
		case push.StateAccepted, push.StateSending:
			// Enqueued stays: a task in the outbox finds the batch paused and ends.
			p.State = push.StatePaused
			return p, nil
		case push.StatePaused:
			return p, nil
		case push.StateUploading, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
		}
		return p, illegal(n, p.State, opPause)
	})
}

// Resume goes on where Pause stopped: fanout plans what is not planned yet and
// sends the chunks that were parked. Resuming a batch that is under way changes
// nothing. Errors are push.ErrNotFound and [push.StateError].
func (b *Batches) Resume(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	_, counts, err := b.counted(ctx, tenant, id, opResume)
	if err != nil {
		return push.Notification{}, err
	}
	n, err := b.move(ctx, tenant, id, opResume, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		switch p.State {
		case push.StatePaused:
			p.State = push.StateSending
			if counts.PagesPlanned < p.Pages || p.Early {
				p.State = push.StateAccepted
			}
			p.Generation++
			p.Enqueued = false
			return p, nil
		case push.StateAccepted, push.StateSending:
			return p, nil
		case push.StateUploading, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
		}
		return p, illegal(n, p.State, opResume)
	})
	if err != nil {
		return push.Notification{}, err
	}
	return b.afterwards(ctx, n), nil
}

// Cancel gives every delivery that has no outcome yet the outcome cancelled;
// what FCM is being asked right now keeps its own. It takes batches and single
// notifications. Cancelling twice changes nothing. Errors are push.ErrNotFound
// and [push.StateError], also when every delivery has its outcome already.
func (b *Batches) Cancel(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	if err := b.open(ctx, tenant, id, opCancel); err != nil {
		return push.Notification{}, err
	}
	n, err := b.move(ctx, tenant, id, opCancel, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		if p.State == push.StateCancelled {
			return p, nil
		}
		if !push.CanMove(p.State, push.StateCancelled) {
			return p, illegal(n, p.State, opCancel)
		}
		p.State, p.Early = push.StateCancelled, false
		p.CompletedAt = b.cfg.Now().UTC()
		p.Enqueued = p.Sources == 0 // nothing to give an outcome to
		return p, nil
	})
	if err != nil {
		return push.Notification{}, err
	}
	return b.afterwards(ctx, n), nil
}

// move is [ledger.Advance] for one operation of a tenant's own notification.
func (b *Batches) move(ctx context.Context, tenant string, id push.ID, op string, f func(*push.Notification) (push.Progress, error)) (push.Notification, error) {
	if op != opCancel && !id.IsBatch() {
		return push.Notification{}, fmt.Errorf("%s of %s: %w: not a batch", op, id, push.ErrNotFound)
	}
	n, err := ledger.Advance(ctx, b.cfg.Ledger, id, func(n push.Notification) (push.Progress, error) {
		if err := owned(&n, tenant); err != nil {
			return push.Progress{}, err
		}
		return f(&n)
	})
	if err != nil {
		return push.Notification{}, fmt.Errorf("%s: %w", op, err)
	}
	if !uploadable(&n.Progress) {
		b.indexes.over(id)
	}
	return n, nil
}

// open refuses an operation on a notification whose deliveries all have their
// outcome, though its stored state does not say so yet: to its owner it is
// completed.
func (b *Batches) open(ctx context.Context, tenant string, id push.ID, op string) error {
	n, counts, err := b.counted(ctx, tenant, id, op)
	if err != nil {
		return err
	}
	if ledger.StateOf(&n, &counts) == push.StateCompleted {
		return illegal(&n, push.StateCompleted, op)
	}
	return nil
}

// counted returns a tenant's own notification and its counts: one query over the
// lines, O(chunks), which only the owner can cause.
func (b *Batches) counted(ctx context.Context, tenant string, id push.ID, op string) (push.Notification, ledger.Counts, error) {
	n, err := b.cfg.Ledger.Notification(ctx, id)
	if err == nil {
		err = owned(&n, tenant)
	}
	if err != nil {
		return n, ledger.Counts{}, fmt.Errorf("%s: %w", op, err)
	}
	counts, err := b.cfg.Ledger.Counts(ctx, id)
	if err != nil {
		return n, counts, fmt.Errorf("%s: count outcomes of %s: %w", op, id, err)
	}
	return n, counts, nil
}

// afterwards sends the task of a notification that is in the outbox.
func (b *Batches) afterwards(ctx context.Context, n push.Notification) push.Notification {
	if n.Progress.Enqueued {
		return n
	}
	return b.dispatch(ctx, n)
}
