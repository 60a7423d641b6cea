package tenants

import (
	"context"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// handlers serve the directory.
type handlers struct {
	directory Directory
	entrance  Entrance
}

// listTenants shows the tenant default, which exists before it is written, first.
func (h *handlers) listTenants(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	cursor := x.Query.Text("cursor")
	items, next, err := h.directory.Tenants(ctx, cursor, int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	list := client.TenantList{Items: []client.Tenant{}, NextCursor: next}
	if cursor == "" {
		first, err := h.directory.Tenant(ctx, access.DefaultName)
		if err != nil {
			return door.Reply{}, err
		}
		list.Items = append(list.Items, tenantView(&first))
	}
	for i := range items {
		if items[i].Name != access.DefaultName {
			list.Items = append(list.Items, tenantView(&items[i]))
		}
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (h *handlers) createTenant(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req struct {
		Name     string          `json:"name"`
		About    string          `json:"about"`
		Settings access.Settings `json:"settings"`
	}
	if err := request.DecodeJSON(x.Body, &req); err != nil {
		return door.Reply{}, err
	}
	open, err := h.checkEntrance(ctx)
	if err != nil {
		return door.Reply{}, err
	}
	profile := access.Profile{About: req.About, Settings: req.Settings}
	t, err := h.directory.CreateTenant(ctx, access.Tenant{Name: req.Name, Profile: profile}, x.Who.Name)
	if err != nil {
		return door.Reply{}, taken(err, "tenant", req.Name)
	}
	h.entrance.Recheck()
	view := tenantView(&t)
	if err := note(x, "tenants", x.Tenant, t.Name, nil, view); err != nil {
		return door.Reply{}, err
	}
	if open {
		view.Notes = append(view.Notes, "From now on requests without an API key are refused, by other processes within "+
			"five seconds: there is more than one tenant.")
	}
	return door.Reply{Status: http.StatusCreated, Body: view, Location: "/v1/tenants/" + t.Name}, nil
}

// checkEntrance reports whether requests without a key are let in now, and refuses to end that
// while nobody would be left who could do anything.
func (h *handlers) checkEntrance(ctx context.Context) (open bool, err error) {
	if open, err = h.entrance.LetsAnyone(ctx); err != nil || !open {
		return false, err
	}
	operated, err := h.directory.HasOperatorKey(ctx)
	if err == nil && !operated {
		err = door.Refuse(door.CodeState, "with a second tenant every request needs an API key, and there is none that may do this: make one "+
			"first, with belfry key create --role owner or POST /v1/api-keys {\"role\":\"owner\"}")
	}
	return true, err
}

// pathTenant returns the tenant in the path, if the caller may know of it.
func (h *handlers) pathTenant(ctx context.Context, x *door.Exchange) (string, error) {
	name := x.Request.PathValue("tenant")
	if !access.ValidName(name) {
		return "", push.ErrNotFound
	}
	return h.seen(ctx, x, name)
}

func (h *handlers) getTenant(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	name, err := h.pathTenant(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	return tenant200(h.directory.Tenant(ctx, name))
}

func (h *handlers) patchTenant(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	name, err := h.pathTenant(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	if err := unlimited(x); err != nil {
		return door.Reply{}, err
	}
	c, err := bodyChange(x)
	if err != nil {
		return door.Reply{}, err
	}
	var before access.Tenant
	t, err := h.directory.ChangeTenant(ctx, name, func(t *access.Tenant) error {
		before = *t
		c.apply(&t.About, &t.Settings)
		return entitled(x, &before.Settings, &t.Settings)
	})
	if err == nil {
		err = note(x, "tenants", x.Tenant, name, tenantView(&before), tenantView(&t))
	}
	return tenant200(t, err)
}

func bodyChange(x *door.Exchange) (change, error) {
	body, err := x.ReadBody()
	if err != nil {
		return change{}, err
	}
	return changeOf(body)
}

func (h *handlers) deleteTenant(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	name, err := h.pathTenant(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	t, err := h.directory.DeleteTenant(ctx, name)
	if err == nil {
		err = note(x, "tenants", x.Tenant, name, tenantView(&t), nil)
	}
	return door.Reply{Status: http.StatusNoContent}, err
}

func (h *handlers) getPlatform(ctx context.Context, _ *door.Exchange) (door.Reply, error) {
	return platform200(h.directory.PlatformSettings(ctx))
}

func (h *handlers) putPlatform(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	var req struct {
		Settings *access.Settings `json:"settings"`
	}
	if err := request.DecodeJSON(body, &req); err != nil {
		return door.Reply{}, err
	}
	if req.Settings == nil { // an empty body must not reset everything
		return door.Reply{}, push.Faults{{Pointer: "/settings", Code: push.FaultMissing, Detail: "must be given; {} is Belfry's own defaults"}}
	}
	before, err := h.directory.PlatformSettings(ctx)
	if err != nil {
		return door.Reply{}, err
	}
	p, err := h.directory.SetPlatform(ctx, *req.Settings, x.Who.Name)
	if err == nil {
		err = x.Changed(settingsView(&before.Settings), settingsView(&p.Settings))
	}
	return platform200(p, err)
}

func platform200(p access.Platform, err error) (door.Reply, error) {
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: client.PlatformSettings{
		Settings: settingsView(&p.Settings), UpdatedAt: views.Time(p.UpdatedAt), UpdatedBy: p.UpdatedBy,
	}}, nil
}

func tenant200(t access.Tenant, err error) (door.Reply, error) {
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: tenantView(&t)}, nil
}

func tenantView(t *access.Tenant) client.Tenant {
	return client.Tenant{
		Name: t.Name, About: t.About, Settings: settingsView(&t.Settings), CreatedAt: views.Time(t.CreatedAt), CreatedBy: t.CreatedBy,
		UpdatedAt: views.Time(t.UpdatedAt),
	}
}
