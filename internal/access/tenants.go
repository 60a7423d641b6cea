package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

func decode(doc *document.Document, into any) error {
	if err := json.Unmarshal(doc.Body, into); err != nil {
		return fmt.Errorf("read %s %s: %w", doc.Kind, doc.Name, err)
	}
	return nil
}

// Tenant returns one tenant, also a deleted one. The tenant [DefaultName] is there before it
// is written.
func (d *Directory) Tenant(ctx context.Context, name string) (Tenant, error) {
	if !ValidName(name) {
		return Tenant{}, push.ErrNotFound
	}
	t, err := load[Tenant](ctx, d, KindTenant, name)
	if errors.Is(err, push.ErrNotFound) && name == DefaultName {
		return Tenant{Name: DefaultName}, nil
	}
	return t.Value, err
}

// Tenants lists tenants by name, [DefaultName] among them once it was changed; deleted ones
// are left out.
func (d *Directory) Tenants(ctx context.Context, cursor string, limit int) ([]Tenant, string, error) {
	return list(ctx, d, KindTenant, cursor, limit, func(t *Tenant) bool { return !t.Deleted() })
}

// CreateTenant makes a tenant. The error is push.ErrConflict if the name is taken, also by a
// tenant that was deleted.
func (d *Directory) CreateTenant(ctx context.Context, t Tenant, by string) (Tenant, error) {
	if err := append(checkName("/name", t.Name), t.check(d)...).Err(); err != nil {
		return Tenant{}, err
	}
	if t.Name == DefaultName {
		return Tenant{}, fmt.Errorf("tenant %s: %w", t.Name, push.ErrConflict)
	}
	t.begin(d.now(), by)
	return t, d.save(ctx, KindTenant, t.Name, 1, t)
}

// ChangeTenant applies f to a tenant. What f changes beside About and Settings is not kept.
func (d *Directory) ChangeTenant(ctx context.Context, name string, f func(*Tenant) error) (Tenant, error) {
	apply := func(t *Tenant) error {
		if t.Deleted() {
			return push.ErrNotFound
		}
		changed := *t
		if err := f(&changed); err != nil {
			return err
		}
		return t.revise(changed.Profile, d)
	}
	t, err := change(ctx, d, KindTenant, name, apply)
	if errors.Is(err, push.ErrNotFound) && name == DefaultName {
		t = Tenant{Name: DefaultName, Profile: Profile{CreatedAt: d.now()}}
		if err := apply(&t); err != nil {
			return Tenant{}, err
		}
		return t, d.save(ctx, KindTenant, name, 1, t)
	}
	return t, err
}

// DeleteTenant marks a tenant as deleted: from then on its keys open nothing, and
// nothing is sent for it. [Directory.Endings] lists it until its work is ended. [DefaultName] stays.
func (d *Directory) DeleteTenant(ctx context.Context, name string) (Tenant, error) {
	if name == DefaultName {
		return Tenant{}, push.Faults{{Code: push.FaultReserved, Detail: "the tenant default can't be deleted"}}
	}
	if !ValidName(name) {
		return Tenant{}, push.ErrNotFound
	}
	return change(ctx, d, KindTenant, name, func(t *Tenant) error {
		t.end(d.now())
		return nil
	})
}

// appName is the document's name of an app; the app "" is [DefaultName].
func appName(tenant, app string) string {
	if app == "" {
		app = DefaultName
	}
	return tenant + "/" + app
}

// App returns an app of a tenant, or push.ErrNotFound if it is not there or was deleted. Every
// tenant has the app [DefaultName], which "" means too, before it is written.
func (d *Directory) App(ctx context.Context, tenant, app string) (App, error) {
	if app == "" {
		app = DefaultName
	}
	if !ValidName(tenant) || !ValidName(app) {
		return App{}, push.ErrNotFound
	}
	a, err := load[App](ctx, d, KindApp, appName(tenant, app))
	switch {
	case errors.Is(err, push.ErrNotFound) && app == DefaultName:
		return App{Tenant: tenant, Name: DefaultName}, nil
	case err != nil:
		return App{}, err
	case a.Value.Deleted():
		return App{}, errDeleted
	}
	return a.Value, nil
}

// Apps returns the apps of a tenant, [DefaultName] first. It reads the apps of all tenants.
func (d *Directory) Apps(ctx context.Context, tenant string) ([]App, error) {
	first, err := d.App(ctx, tenant, DefaultName)
	if err != nil {
		return nil, err
	}
	rest, err := every(ctx, d, KindApp, func(a *App) bool { return a.Tenant == tenant && a.Name != DefaultName && !a.Deleted() })
	return append([]App{first}, rest...), err
}

// CreateApp makes an app of a tenant.
func (d *Directory) CreateApp(ctx context.Context, a App, by string) (App, error) {
	if err := append(checkName("/name", a.Name), a.check(d)...).Err(); err != nil {
		return App{}, err
	}
	if a.Name == DefaultName {
		return App{}, fmt.Errorf("app %s: %w", a.Name, push.ErrConflict)
	}
	a.begin(d.now(), by)
	return a, d.save(ctx, KindApp, appName(a.Tenant, a.Name), 1, a)
}

// ChangeApp applies f to an app. What f changes beside About and Settings is not kept.
func (d *Directory) ChangeApp(ctx context.Context, tenant, name string, f func(*App) error) (App, error) {
	apply := func(a *App) error {
		if a.Deleted() {
			return push.ErrNotFound
		}
		changed := *a
		if err := f(&changed); err != nil {
			return err
		}
		return a.revise(changed.Profile, d)
	}
	a, err := change(ctx, d, KindApp, appName(tenant, name), apply)
	if errors.Is(err, push.ErrNotFound) && name == DefaultName {
		a = App{Tenant: tenant, Name: DefaultName, Profile: Profile{CreatedAt: d.now()}}
		if err := apply(&a); err != nil {
			return App{}, err
		}
		return a, d.save(ctx, KindApp, appName(tenant, name), 1, a)
	}
	return a, err
}

// DeleteApp marks an app as deleted, as [Directory.DeleteTenant] does. [DefaultName] stays.
func (d *Directory) DeleteApp(ctx context.Context, tenant, name string) (App, error) {
	if name == DefaultName {
		return App{}, push.Faults{{Code: push.FaultReserved, Detail: "the app default can't be deleted"}}
	}
	if !ValidName(name) {
		return App{}, push.ErrNotFound
	}
	return change(ctx, d, KindApp, appName(tenant, name), func(a *App) error {
		a.end(d.now())
		return nil
	})
}
