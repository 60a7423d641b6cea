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

func (h *handlers) listApps(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	apps, err := h.directory.Apps(ctx, tenant)
	if err != nil {
		return door.Reply{}, err
	}
	list := client.AppList{Items: []client.App{}}
	for i := range apps {
		if ofApp(x, apps[i].Name) {
			list.Items = append(list.Items, appView(&apps[i]))
		}
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (h *handlers) createApp(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req struct {
		Name     string          `json:"name"`
		About    string          `json:"about"`
		Settings access.Settings `json:"settings"`
	}
	if err := request.DecodeJSON(x.Body, &req); err != nil {
		return door.Reply{}, err
	}
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	if err := unlimited(x); err != nil {
		return door.Reply{}, err
	}
	if err := entitled(x, &access.Settings{}, &req.Settings); err != nil {
		return door.Reply{}, err
	}
	profile := access.Profile{About: req.About, Settings: req.Settings}
	a, err := h.directory.CreateApp(ctx, access.App{Tenant: tenant, Name: req.Name, Profile: profile}, x.Who.Name)
	if err != nil {
		return door.Reply{}, taken(err, "app", req.Name)
	}
	if err := note(x, "apps", tenant, a.Name, nil, appView(&a)); err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusCreated, Body: appView(&a), Location: "/v1/apps/" + a.Name + suffix(x, tenant)}, nil
}

// suffix is what a path needs behind it for what belongs to another tenant than the caller's.
func suffix(x *door.Exchange, tenant string) string {
	if tenant == x.Tenant {
		return ""
	}
	return "?tenant=" + tenant
}

// pathApp returns the app in the path and its tenant, if the caller may know of it.
func (h *handlers) pathApp(ctx context.Context, x *door.Exchange) (tenant, app string, err error) {
	app = x.Request.PathValue("app")
	if !access.ValidName(app) || !ofApp(x, app) {
		return "", "", push.ErrNotFound
	}
	tenant, err = h.whose(ctx, x)
	return tenant, app, err
}

func (h *handlers) getApp(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, app, err := h.pathApp(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	return app200(h.directory.App(ctx, tenant, app))
}

func (h *handlers) patchApp(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, app, err := h.pathApp(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	c, err := bodyChange(x)
	if err != nil {
		return door.Reply{}, err
	}
	var before access.App
	a, err := h.directory.ChangeApp(ctx, tenant, app, func(a *access.App) error {
		before = *a
		c.apply(&a.About, &a.Settings)
		return entitled(x, &before.Settings, &a.Settings)
	})
	if err == nil {
		err = note(x, "apps", tenant, app, appView(&before), appView(&a))
	}
	return app200(a, err)
}

func (h *handlers) deleteApp(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, app, err := h.pathApp(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	if err := unlimited(x); err != nil {
		return door.Reply{}, err
	}
	a, err := h.directory.DeleteApp(ctx, tenant, app)
	if err == nil {
		err = note(x, "apps", tenant, app, appView(&a), nil)
	}
	return door.Reply{Status: http.StatusNoContent}, err
}

// getConfiguration shows what holds for an app; a caller that is limited to one sees that if it
// names none.
func (h *handlers) getConfiguration(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	app := x.Query.Text("app")
	if app == "" {
		app = push.AppName(x.Who.App)
	}
	if !ofApp(x, app) {
		return door.Reply{}, push.ErrNotFound
	}
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	e, err := h.directory.Effective(ctx, tenant, app)
	if err != nil {
		return door.Reply{}, err
	}
	view := client.Configuration{Tenant: tenant, App: app, Settings: settingsView(&e.Settings), From: map[string]client.Origin{}}
	for name, from := range e.From {
		view.From[name] = client.Origin(from)
	}
	return door.Reply{Status: http.StatusOK, Body: view}, nil
}

func app200(a access.App, err error) (door.Reply, error) {
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: appView(&a)}, nil
}

func appView(a *access.App) client.App {
	return client.App{
		Tenant: a.Tenant, Name: a.Name, About: a.About, Settings: settingsView(&a.Settings), CreatedAt: views.Time(a.CreatedAt),
		CreatedBy: a.CreatedBy, UpdatedAt: views.Time(a.UpdatedAt),
	}
}
