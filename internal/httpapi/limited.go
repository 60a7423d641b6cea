package httpapi

import (
	"context"
	"strings"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
)

// ofItsApp bounds callers that are limited to an app to its notifications, on every route that
// names one: another app's does not exist for them. It asks the ledger only for such callers.
func ofItsApp(l Ledger, routes []*door.Route) []*door.Route {
	for _, rt := range routes {
		if !strings.HasPrefix(rt.Path, "/v1/notifications/{id}") && !strings.HasPrefix(rt.Path, "/v1/batches/{id}") {
			continue
		}
		run := rt.Run
		rt.Run = func(ctx context.Context, x *door.Exchange) error {
			if err := knows(ctx, l, x); err != nil {
				return err
			}
			return run(ctx, x)
		}
	}
	return routes
}

// knows returns push.ErrNotFound if the notification in the path is of another app than the one
// that the caller is limited to.
func knows(ctx context.Context, l Ledger, x *door.Exchange) error {
	if x.Who.App == "" {
		return nil
	}
	id, err := x.PathID(push.PrefixNotification, push.PrefixBatch)
	if err != nil {
		return err
	}
	n, err := l.Notification(ctx, id)
	if err == nil && (n.Tenant != x.Tenant || push.AppName(n.App) != x.Who.App) {
		err = push.ErrNotFound
	}
	return err
}

// ofAllApps closes routes to callers that are limited to an app: what they show is not told
// apart by app.
func ofAllApps(routes []*door.Route) []*door.Route {
	for _, rt := range routes {
		run := rt.Run
		rt.Run = func(ctx context.Context, x *door.Exchange) error {
			if x.Who.App != "" {
				return door.Refuse(door.CodeForbidden, "this key is limited to the app %s, and %s are not told apart by app: use one that is not",
					x.Who.App, rt.Group)
			}
			return run(ctx, x)
		}
	}
	return routes
}
