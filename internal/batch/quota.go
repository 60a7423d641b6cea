package batch

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// The recipients of a batch count against quotas when they are durable, those of the day, and when it starts, those that
// wait. Of a batch that was deferred when it was made they count when a page is planned, which fanout sees to.

// charge counts the recipients of drafts that are about to be announced. The returned function takes back those of
// drafts from one on, which were not announced by this upload.
func (u *upload) charge(ctx context.Context, drafts []*draft) (undo func(from int), err error) {
	if u.cfg.Quotas == nil || u.n.Deferred {
		return func(int) {}, nil
	}
	started := u.n.Progress.State != push.StateUploading
	of := func(drafts []*draft) push.Charge {
		c := push.Charge{Tenant: u.n.Tenant, App: u.n.App}
		for _, d := range drafts {
			c.Recipients += int64(len(d.Recipients))
		}
		if started {
			c.Queued = c.Recipients
		}
		return c
	}
	if err := u.cfg.Quotas.Count(ctx, of(drafts)); err != nil {
		return nil, err
	}
	return func(from int) {
		if from < len(drafts) {
			u.cfg.Quotas.Undo(context.WithoutCancel(ctx), of(drafts[from:]))
		}
	}, nil
}

// largest returns how many recipients a page may have.
func (b *Batches) largest(ctx context.Context, n *push.Notification) (int, error) {
	if b.cfg.Quotas == nil {
		return b.cfg.PageRecipients, nil
	}
	most, err := b.cfg.Quotas.Largest(ctx, n.Tenant, n.App, b.cfg.PageRecipients)
	if err != nil {
		return 0, fmt.Errorf("upload: %w", err)
	}
	return most, nil
}

// admit counts the recipients of a batch that is about to start, if it has not. The returned function takes that back.
func (b *Batches) admit(ctx context.Context, tenant string, id push.ID) (undo func(), err error) {
	none := func() {}
	if b.cfg.Quotas == nil || !id.IsBatch() {
		return none, nil
	}
	n, err := b.cfg.Ledger.Notification(ctx, id)
	if err != nil || n.Tenant != tenant || n.Deferred || n.Progress.State != push.StateUploading {
		return none, nil //nolint:nilerr // who starts it reads it again, and says what is wrong
	}
	c := push.Charge{Tenant: n.Tenant, App: n.App, Queued: n.Progress.Sources}
	if err := b.cfg.Quotas.Count(ctx, c); err != nil {
		return none, fmt.Errorf("start: %w", err)
	}
	return func() { b.cfg.Quotas.Undo(context.WithoutCancel(ctx), c) }, nil
}
