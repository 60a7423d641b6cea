package httpapi

import (
	"context"
	"net/http"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// operation is one of Lifecycle's.
type operation func(ctx context.Context, tenant string, id push.ID) (push.Notification, error)

// move moves a notification or batch, and shows how it stands then.
func move(op operation, prefixes ...string) door.Handler {
	return func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
		id, err := x.PathID(prefixes...)
		if err != nil {
			return door.Reply{}, err
		}
		n, err := op(telemetry.By(ctx, x.Who.Name), x.Tenant, id)
		if err != nil {
			return door.Reply{}, err
		}
		return door.Reply{Status: http.StatusOK, Body: plainView(&n)}, nil
	}
}
