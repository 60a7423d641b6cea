package ingester

import (
	"context"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/closing"
	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/wire"
)

// tellAccepted tells whoever follows what is accepted.
func tellAccepted(t *tail.Source) func(*push.Notification) {
	return func(n *push.Notification) {
		if !t.Listening() {
			return
		}
		t.Tell(string(n.ID), n.TraceParent, wire.Accepted{
			AcceptedAt: n.AcceptedAt, App: n.AppName(), ExpiresAt: n.ExpiresAt, ID: n.ID, Labels: n.Labels, Lane: string(n.Lane()),
			Sources: n.Progress.Sources, Tenant: n.Tenant,
		})
	}
}

// toldBatches are the batches, of which whoever follows is told what somebody does to them.
type toldBatches struct {
	*batch.Batches

	tail *tail.Source
}

var (
	_ httpapi.Batches   = toldBatches{}
	_ closing.Canceller = toldBatches{}
)

// Start implements [httpapi.Lifecycle].
func (b toldBatches) Start(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.told("started")(b.Batches.Start(ctx, tenant, id))
}

// StartEarly implements [httpapi.Lifecycle].
func (b toldBatches) StartEarly(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.told("started")(b.Batches.StartEarly(ctx, tenant, id))
}

// Pause implements [httpapi.Lifecycle].
func (b toldBatches) Pause(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.told("paused")(b.Batches.Pause(ctx, tenant, id))
}

// Resume implements [httpapi.Lifecycle].
func (b toldBatches) Resume(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.told("resumed")(b.Batches.Resume(ctx, tenant, id))
}

// ResumeUnbraked implements [httpapi.Lifecycle].
func (b toldBatches) ResumeUnbraked(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.told("resumed")(b.Batches.ResumeUnbraked(ctx, tenant, id))
}

// Cancel implements [httpapi.Lifecycle].
func (b toldBatches) Cancel(ctx context.Context, tenant string, id push.ID) (push.Notification, error) {
	return b.told("cancelled")(b.Batches.Cancel(ctx, tenant, id))
}

func (b toldBatches) told(change string) func(push.Notification, error) (push.Notification, error) {
	return func(n push.Notification, err error) (push.Notification, error) {
		if err == nil && b.tail.Listening() {
			b.tail.Tell(string(n.ID), n.TraceParent, wire.Changed{
				App: n.AppName(), Change: change, ID: n.ID, Labels: n.Labels, State: n.Progress.State, Tenant: n.Tenant,
			})
		}
		return n, err
	}
}
