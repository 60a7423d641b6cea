package batch

import (
	"context"

	"github.com/belfry-push/belfry/internal/push"
)

// StartEarly starts planning and sending the batch while it is being uploaded; its TTL
// begins. Recipients may be added as before, also while it is paused, until
// [Batches.Start] declares the upload finished or the deadline passes, and until
// then the batch does not complete. Repeating it on a batch that was started
// early and is accepted or sending changes nothing. Errors are push.ErrNotFound
// and [push.StateError], also for a batch whose upload is finished, because the caller
// believes that lines may follow.
func (b *Batches) StartEarly(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	undo, err := b.admit(ctx, tenant, id)
	if err != nil {
		return push.Notification{}, err
	}
	begins := false
	n, err := b.move(ctx, tenant, id, opStartEarly, func(n *push.Notification) (push.Progress, error) {
		p := n.Progress
		begins = p.State == push.StateUploading
		switch p.State {
		case push.StateUploading:
			p.State, p.Early = push.StateAccepted, true
			p.StartedAt = b.cfg.Now().UTC()
			p.Enqueued = false
			return p, nil
		case push.StateAccepted, push.StateSending:
			if p.Early {
				return p, nil
			}
		case push.StateHeld, push.StatePaused, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
		}
		return p, illegal(n, p.State, opStartEarly)
	})
	if err != nil || !begins {
		undo()
	}
	if err != nil {
		return push.Notification{}, err
	}
	return b.afterwards(ctx, n), nil
}

// uploadable reports whether recipients may be added.
func uploadable(p *push.Progress) bool {
	switch p.State {
	case push.StateUploading:
		return true
	case push.StateAccepted, push.StateSending, push.StateHeld, push.StatePaused:
		return p.Early
	case push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
	}
	return false
}
