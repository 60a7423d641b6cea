package tenants

import (
	"context"
	"errors"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
)

// whose returns the tenant that a request is about: the caller's own, or the one that ?tenant=
// names if the caller is the platform's operator. For any other caller another tenant does
// not exist.
func (h *handlers) whose(ctx context.Context, x *door.Exchange) (string, error) {
	return h.seen(ctx, x, x.Query.Text("tenant"))
}

func (h *handlers) seen(ctx context.Context, x *door.Exchange, tenant string) (string, error) {
	if tenant == "" || tenant == x.Tenant {
		return x.Tenant, nil
	}
	if !x.Who.Can(access.PermPlatform) {
		return "", push.ErrNotFound
	}
	t, err := h.directory.Tenant(ctx, tenant)
	if err == nil && t.Deleted() {
		err = push.ErrNotFound
	}
	return tenant, err
}

// ofApp reports whether the caller may work on an app: "" is the default one. A key that is
// limited to an app knows no other.
func ofApp(x *door.Exchange, app string) bool {
	return x.Who.App == "" || push.AppName(app) == x.Who.App
}

// unlimited refuses a caller that is limited to an app what concerns the whole tenant.
func unlimited(x *door.Exchange) error {
	if x.Who.App == "" {
		return nil
	}
	return door.Refuse(door.CodeForbidden, "this concerns the whole tenant, and %s is limited to the app %s: use a key that is not",
		x.Who.Name, x.Who.App)
}

// entitled refuses a change of what only the platform's operator may change.
func entitled(x *door.Exchange, before, after *access.Settings) error {
	if x.Who.Can(access.PermPlatform) {
		return nil
	}
	names := access.EntitlementsChanged(before, after)
	if len(names) == 0 {
		return nil
	}
	return door.Refuse(door.CodeForbidden,
		"%s may be changed by the platform's operator only (permission platform): leave it out, or ask the operator", names[0])
}

// note says in the audit log what was done to what: as it was and as it is, either of them nil.
// What belongs to another tenant than the caller's is named with that.
func note(x *door.Exchange, kind, tenant, id string, before, after any) error {
	if tenant != x.Tenant {
		id = tenant + "/" + id
	}
	x.Targets(kind, id)
	return x.Changed(before, after)
}

// taken tells a name that is taken from a change that lost a race.
func taken(err error, kind, name string) error {
	if errors.Is(err, push.ErrConflict) {
		return door.Refuse(door.CodeTaken, "%s names another %s, or did: a name is given once, so that what is left of the old one is nobody "+
			"else's", name, kind)
	}
	return err
}
