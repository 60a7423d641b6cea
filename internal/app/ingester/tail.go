package ingester

import (
	"context"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/telemetry/about"
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

// tellChanged tells whoever follows what somebody changes of batches and notifications.
func tellChanged(t *tail.Source) func(batch.Change, *push.Notification) {
	return func(change batch.Change, n *push.Notification) {
		if !t.Listening() {
			return
		}
		t.Tell(string(n.ID), n.TraceParent, wire.Changed{
			App: n.AppName(), Change: string(change), ID: n.ID, Labels: n.Labels, Sources: n.Progress.Sources, State: n.Progress.State,
			Tenant: n.Tenant,
		})
	}
}

// publishEnded publishes that a batch without recipients has ended. Dispatchers do so for all others.
func publishEnded(s *app.Service) func(context.Context, *push.Notification) {
	return func(ctx context.Context, n *push.Notification) {
		e, err := wire.NewEvent("belfry", string(n.ID), n.TraceParent, s.Now(), wire.Completed{
			AcceptedAt: n.AcceptedAt, App: n.AppName(), ByCode: map[string]int64{}, CompletedAt: n.Progress.CompletedAt, ID: n.ID,
			Labels: n.Labels, Tenant: n.Tenant,
		})
		if err == nil {
			err = s.Backend.Events.Publish(ctx, []wire.Event{e})
		}
		if err != nil {
			s.Log.Warn("event not published", zap.String("type", wire.EventCompleted), about.Notification(n), zap.Error(err))
		}
	}
}
