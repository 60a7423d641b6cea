package access

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// errDeleted says that a tenant or an app was there.
var errDeleted = fmt.Errorf("deleted: %w", push.ErrNotFound)

// Ending is a tenant, or an app, that was deleted, and of which something may still be under way.
type Ending struct {
	Tenant string
	App    string    // "" is all of the tenant
	Since  time.Time // it was deleted
}

// What it says in words: tenant acme, app acme/shop.
func (e Ending) What() string {
	if e.App == "" {
		return "tenant " + e.Tenant
	}
	return "app " + e.Tenant + "/" + e.App
}

// Covers reports whether an app is ending with it; "" is its tenant's default one.
func (e Ending) Covers(tenant, app string) bool {
	if app == "" {
		app = DefaultName
	}
	return tenant == e.Tenant && (e.App == "" || app == e.App)
}

// Endings returns what was deleted and is not closed. It reads all tenants and all apps.
func (d *Directory) Endings(ctx context.Context) ([]Ending, error) {
	var all []Ending
	_, err := every(ctx, d, KindTenant, func(t *Tenant) bool {
		if t.ending() {
			all = append(all, Ending{t.Name, "", t.DeletedAt})
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	_, err = every(ctx, d, KindApp, func(a *App) bool {
		if a.ending() {
			all = append(all, Ending{a.Tenant, a.Name, a.DeletedAt})
		}
		return false
	})
	return all, err
}

// CloseEnding notes that nothing of an ending is under way any more. Closing twice changes nothing.
func (d *Directory) CloseEnding(ctx context.Context, e Ending) error {
	closed := func(p *Profile) {
		if p.ending() {
			p.ClosedAt = d.now()
		}
	}
	var err error
	if e.App == "" {
		_, err = change(ctx, d, KindTenant, e.Tenant, func(t *Tenant) error { closed(&t.Profile); return nil })
	} else {
		_, err = change(ctx, d, KindApp, appName(e.Tenant, e.App), func(a *App) error { closed(&a.Profile); return nil })
	}
	return err
}

// ending reports whether it was deleted and is not closed.
func (p *Profile) ending() bool { return p.Deleted() && p.ClosedAt.IsZero() }
