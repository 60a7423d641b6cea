package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// maxEffects bounds how many apps' settings are remembered; about 500 bytes each.
const maxEffects = 20_000

// Effects remembers the settings that hold for apps, for at most [CacheFor], so that asking
// for them with every request costs no look-up. Safe for concurrent use. Make it with
// [NewEffects].
type Effects struct {
	directory *Directory
	platform  *recent[Settings]
	tenants   *recent[*above]
	apps      *recent[*effect]
}

// For how long each level is remembered: what an app inherits may be as old as all of them
// together. A tenant with a thousand apps has its own settings read once a second, and not with
// each app's.
const (
	keepPlatform = CacheFor / 4
	keepTenant   = CacheFor / 4
	keepApp      = CacheFor - keepPlatform - keepTenant
)

// above is what the apps of a tenant inherit.
type above struct {
	platform, tenant Settings
	missing          bool // there is no such tenant
	deleted          bool // there was one
}

type effect struct {
	settings Effective
	missing  bool // there is no such app, or no such tenant
	deleted  bool // there was one
}

// NewEffects returns Effects of what a directory says.
func NewEffects(d *Directory) (*Effects, error) {
	platform, err := newRecent[Settings](1, keepPlatform, d.now)
	if err != nil {
		return nil, err
	}
	tenants, err := newRecent[*above](maxEffects, keepTenant, d.now)
	if err != nil {
		return nil, err
	}
	apps, err := newRecent[*effect](maxEffects, keepApp, d.now)
	if err != nil {
		return nil, err
	}
	return &Effects{directory: d, platform: platform, tenants: tenants, apps: apps}, nil
}

// Close releases what the cache holds.
func (e *Effects) Close() {
	e.platform.close()
	e.tenants.close()
	e.apps.close()
}

// Of returns the settings that hold for an app of a tenant, or push.ErrNotFound if the tenant
// does not have it. The caller must not change what they point to.
func (e *Effects) Of(ctx context.Context, tenant, app string) (Effective, error) {
	k, err := e.remembered(ctx, tenant, app)
	switch {
	case err != nil:
		return Effective{}, err
	case k.missing:
		return Effective{}, fmt.Errorf("app %s: %w", appName(tenant, app), push.ErrNotFound)
	}
	return k.settings, nil
}

// OfTenant returns the settings that hold for a tenant as a whole, or push.ErrNotFound. The caller
// must not change what they point to.
func (e *Effects) OfTenant(ctx context.Context, tenant string) (Effective, error) {
	const whole = "/*" // no app's name
	k, err := e.apps.get(ctx, tenant+whole, func(ctx context.Context) (*effect, error) {
		up, err := e.above(ctx, tenant)
		if err != nil {
			return nil, err
		}
		if up.missing {
			return &effect{missing: true, deleted: up.deleted}, nil
		}
		return &effect{settings: Inherit(up.platform, up.tenant, Settings{})}, nil
	})
	switch {
	case err != nil:
		return Effective{}, err
	case k.missing:
		return Effective{}, fmt.Errorf("tenant %s: %w", tenant, push.ErrNotFound)
	}
	return k.settings, nil
}

// Exists reports whether a tenant has an app.
func (e *Effects) Exists(ctx context.Context, tenant, app string) (bool, error) {
	k, err := e.remembered(ctx, tenant, app)
	return err == nil && !k.missing, err
}

// Deleted reports whether there was such an app of a tenant, and is no more.
func (e *Effects) Deleted(ctx context.Context, tenant, app string) (bool, error) {
	k, err := e.remembered(ctx, tenant, app)
	return err == nil && k.deleted, err
}

func (e *Effects) remembered(ctx context.Context, tenant, app string) (*effect, error) {
	return e.apps.get(ctx, appName(tenant, app), func(ctx context.Context) (*effect, error) {
		up, err := e.above(ctx, tenant)
		if err != nil {
			return nil, err
		}
		if up.missing {
			return &effect{missing: true, deleted: up.deleted}, nil
		}
		a, err := e.directory.App(ctx, tenant, app)
		if errors.Is(err, push.ErrNotFound) {
			return &effect{missing: true, deleted: errors.Is(err, errDeleted)}, nil
		}
		return &effect{settings: Inherit(up.platform, up.tenant, a.Settings)}, err
	})
}

// above returns what the apps of a tenant inherit.
func (e *Effects) above(ctx context.Context, tenant string) (*above, error) {
	return e.tenants.get(ctx, tenant, func(ctx context.Context) (*above, error) {
		platform, err := e.platform.get(ctx, platformName, func(ctx context.Context) (Settings, error) {
			p, err := e.directory.PlatformSettings(ctx)
			return p.Settings, err
		})
		if err != nil {
			return nil, err
		}
		own, err := e.directory.settingsOf(ctx, tenant)
		if errors.Is(err, push.ErrNotFound) {
			return &above{missing: true, deleted: errors.Is(err, errDeleted)}, nil
		}
		return &above{platform: platform, tenant: own}, err
	})
}
