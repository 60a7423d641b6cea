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
	apps      *recent[*effect]
}

type effect struct {
	settings Effective
	missing  bool // there is no such app, or no such tenant
}

// NewEffects returns Effects of what a directory says.
func NewEffects(d *Directory) (*Effects, error) {
	apps, err := newRecent[*effect](maxEffects, d.now)
	if err != nil {
		return nil, err
	}
	return &Effects{directory: d, apps: apps}, nil
}

// Close releases what the cache holds.
func (e *Effects) Close() { e.apps.close() }

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
		settings, err := e.directory.OfTenant(ctx, tenant)
		if errors.Is(err, push.ErrNotFound) {
			return &effect{missing: true}, nil
		}
		return &effect{settings: settings}, err
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

func (e *Effects) remembered(ctx context.Context, tenant, app string) (*effect, error) {
	return e.apps.get(ctx, appName(tenant, app), func(ctx context.Context) (*effect, error) {
		settings, err := e.directory.Effective(ctx, tenant, app)
		if errors.Is(err, push.ErrNotFound) {
			return &effect{missing: true}, nil
		}
		return &effect{settings: settings}, err
	})
}
