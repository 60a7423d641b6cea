package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/belfry-push/belfry/internal/push"
)

// maxEffects bounds how many apps' settings are remembered; about 500 bytes each.
const maxEffects = 20_000

// Effects remembers the settings that hold for apps, for at most [CacheFor], so that asking
// for them with every request costs no look-up. Safe for concurrent use. Make it with
// [NewEffects].
type Effects struct {
	directory *Directory
	cache     *otter.Cache[string, *effect]
	reads     singleflight.Group
}

type effect struct {
	settings Effective
	missing  bool // there is no such app, or no such tenant
	at       time.Time
}

// NewEffects returns Effects of what a directory says.
func NewEffects(d *Directory) (*Effects, error) {
	cache, err := otter.New(&otter.Options[string, *effect]{
		MaximumSize: maxEffects, ExpiryCalculator: otter.ExpiryWriting[string, *effect](CacheFor),
	})
	if err != nil {
		return nil, fmt.Errorf("cache of settings: %w", err)
	}
	return &Effects{directory: d, cache: cache}, nil
}

// Close releases what the cache holds.
func (e *Effects) Close() { e.cache.StopAllGoroutines() }

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

// Exists reports whether a tenant has an app.
func (e *Effects) Exists(ctx context.Context, tenant, app string) (bool, error) {
	k, err := e.remembered(ctx, tenant, app)
	return err == nil && !k.missing, err
}

func (e *Effects) remembered(ctx context.Context, tenant, app string) (*effect, error) {
	name := appName(tenant, app)
	if k, ok := e.cache.GetIfPresent(name); ok && e.directory.now().Sub(k.at) < CacheFor {
		return k, nil
	}
	v, err, _ := e.reads.Do(name, func() (any, error) {
		k := &effect{at: e.directory.now()}
		// Others wait for this read: it does not end with the request that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CacheFor)
		defer cancel()
		var err error
		k.settings, err = e.directory.Effective(ctx, tenant, app)
		if errors.Is(err, push.ErrNotFound) {
			k.missing, err = true, nil
		}
		if err != nil {
			return nil, err
		}
		e.cache.Set(name, k)
		return k, nil
	})
	if err != nil {
		return nil, err
	}
	k, _ := v.(*effect)
	return k, nil
}
