package batch

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/telemetry/about"
)

// Every operation is one conditional write to the notification's item, followed by a task
// for fanout. The write decides. The outbox guarantees the task: the write sets Enqueued to
// false, and it is set back only after the queue took the task. So a crash anywhere leaves
// either nothing done or an item in the outbox, and a repeated call sends the task again.

// Start ends the upload and starts planning and sending the batch; its TTL begins. After
// [Batches.StartEarly] the TTL has begun, and the tasks of that start plan the rest. A
// batch without recipients is completed at once. Repeating it on a batch that was
// started and is accepted, sending or completed changes nothing and returns its present
// state, so that a caller that lost the answer may repeat the call. Errors are
// push.ErrNotFound, [push.StateError] and [*push.OverQuotaError].
func (b *Batches) Start(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	undo, err := b.admit(ctx, tenant, id)
	if err != nil {
		return push.Notification{}, err
	}
	begins := false
	n, err := b.move(ctx, tenant, id, opStart, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		begins = p.State == push.StateUploading
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
		case push.StateHeld, push.StateCancelled, push.StateDeadLettered:
		}
		return p, illegal(n, p.State, opStart)
	})
	if err != nil || !begins {
		undo()
	}
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
	ends := false
	n, err := ledger.Advance(ctx, b.cfg.Ledger, id, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		if ends = push.CanMove(p.State, push.StateCompleted); ends {
			p.State = push.StateCompleted
			p.CompletedAt = b.cfg.Now().UTC()
			p.Enqueued = true
		}
		return p, nil
	})
	if err == nil && ends {
		b.ended(ctx, &n)
	}
	return n, err
}

// ended tells that a notification has ended without recipients.
func (b *Batches) ended(ctx context.Context, n *push.Notification) {
	if b.cfg.Ended != nil {
		b.cfg.Ended(ctx, n)
	}
}

// changed tells what was changed of a notification, if anything was.
func (b *Batches) changed(op string, before *push.Progress, n *push.Notification) {
	now := &n.Progress
	if b.cfg.Changed == nil || now.State == before.State && now.Generation == before.Generation && now.Early == before.Early &&
		now.BrakeOff == before.BrakeOff {
		return
	}
	change := map[string]Change{opStart: Started, opStartEarly: Started, opPause: Paused, opResume: Resumed, opCancel: Cancelled}[op]
	if op == opStart && before.Early {
		change = Finished
	}
	b.cfg.Changed(change, n)
}

// Pause stops sending, of a batch or a single notification; requests under way still get
// their answer. The TTL runs on. Pausing what is paused changes nothing. Errors are
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
		case push.StateUploading, push.StateHeld, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
		}
		return p, illegal(n, p.State, opPause)
	})
}

// Resume continues where Pause stopped: fanout plans the pages that are not planned yet
// and sends the parked chunks. It also releases what is held, of single notifications
// too; that may be held again. Resuming a notification that is being sent changes
// nothing. Errors are push.ErrNotFound and [push.StateError].
func (b *Batches) Resume(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.resume(ctx, tenant, id, false)
}

// ResumeUnbraked does what Resume does, and switches the brake off: nothing of the
// notification is held any more, until Resume switches the brake on again.
func (b *Batches) ResumeUnbraked(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.resume(ctx, tenant, id, true)
}

func (b *Batches) resume(ctx context.Context, tenant string, id push.ID, unbraked bool) (push.Notification, error) {
	_, counts, err := b.counted(ctx, tenant, id, opResume)
	if err != nil {
		return push.Notification{}, err
	}
	n, err := b.move(ctx, tenant, id, opResume, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		switch p.State {
		case push.StateAccepted, push.StateSending:
			if !p.Held.Any() {
				p.BrakeOff = p.BrakeOff || unbraked
				return p, nil
			}
		case push.StatePaused:
			p.State = push.StateSending
			if counts.PagesPlanned < p.Pages || p.Early {
				p.State = push.StateAccepted
			}
		case push.StateUploading, push.StateHeld, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
			return p, illegal(n, p.State, opResume)
		}
		p.Held, p.BrakeOff = push.Holds{}, unbraked
		p.Generation++
		p.Enqueued = false
		return p, nil
	})
	if err != nil {
		return push.Notification{}, err
	}
	return b.afterwards(ctx, n), nil
}

// Cancel gives every delivery without an outcome the outcome cancelled; a request under
// way keeps its own. It takes batches and single notifications. Cancelling twice changes
// nothing. Errors are push.ErrNotFound and [push.StateError], also when every delivery has
// its outcome already.
func (b *Batches) Cancel(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	if err := b.open(ctx, tenant, id, opCancel); err != nil {
		return push.Notification{}, err
	}
	ends := false
	n, err := b.move(ctx, tenant, id, opCancel, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		ends = false
		if p.State == push.StateCancelled {
			return p, nil
		}
		if !push.CanMove(p.State, push.StateCancelled) {
			return p, illegal(n, p.State, opCancel)
		}
		p.State, p.Early = push.StateCancelled, false
		p.CompletedAt = b.cfg.Now().UTC()
		ends = p.Sources == 0 // nothing to give an outcome to
		p.Enqueued = ends
		return p, nil
	})
	if err != nil {
		return push.Notification{}, err
	}
	if ends {
		b.ended(ctx, &n)
	}
	return b.afterwards(ctx, n), nil
}

// move calls [ledger.Advance] for one operation on a tenant's own notification.
func (b *Batches) move(ctx context.Context, tenant string, id push.ID, op string,
	f func(*push.Notification) (push.Progress, error),
) (push.Notification, error) {
	if (op == opStart || op == opStartEarly) && !id.IsBatch() { // only a batch has an upload
		return push.Notification{}, fmt.Errorf("%s of %s: %w: not a batch", op, id, push.ErrNotFound)
	}
	var before push.Progress
	n, err := ledger.Advance(ctx, b.cfg.Ledger, id, func(n push.Notification) (push.Progress, error) {
		if err := owned(&n, tenant); err != nil {
			return push.Progress{}, err
		}
		before = n.Progress
		return f(&n)
	})
	if err != nil {
		return push.Notification{}, fmt.Errorf("%s: %w", op, err)
	}
	if n.Progress.State != before.State || n.Progress.Generation != before.Generation || n.Progress.Early != before.Early {
		after := zap.Skip()
		if started := before.StartedAt; !started.IsZero() {
			after = zap.Duration("after", b.cfg.Now().Sub(started))
		}
		b.cfg.Log.Info("notification changed", zap.String("op", op), about.Notification(&n), telemetry.Who(ctx), after,
			zap.String("from", string(before.State)), zap.String("state", string(n.Progress.State)),
			zap.Int64("recipients", n.Progress.Sources))
	}
	b.changed(op, &before, &n)
	if !uploadable(&n.Progress) {
		b.indexes.over(id)
	}
	return n, nil
}

// open refuses an operation on a notification whose deliveries all have their outcome,
// even if its stored state does not say so yet: for its owner it is completed.
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

// counted returns a tenant's own notification and its counts: one query over the lines,
// O(chunks). Only the owner can cause that query.
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
