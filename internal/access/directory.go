package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// The kinds of the documents.
const (
	KindTenant   = "tenant"
	KindApp      = "app"     // name tenant/app
	KindKey      = "api-key" // name: the key's id
	KindRole     = "role"    // name tenant/role
	KindPlatform = "platform"

	platformName = "settings"
)

// MaxLiveKeys is how many live keys of one role and app a tenant may have.
const MaxLiveKeys = 100

// Directory keeps tenants, apps, keys and roles. Every change is one conditional write of
// one document. Errors are push.ErrNotFound, [push.Faults] for what is wrong with a
// request, and push.ErrConflict for what exists already or changed meanwhile. Safe for
// concurrent use by several processes.
type Directory struct {
	docs   document.Store
	now    func() time.Time
	sealer Sealer // nil: no signing secrets
	keep   *int64 // days that the deployment keeps notifications for, 0 for ever; nil: not known here
}

// KeepFor returns the directory of a deployment that keeps notifications for so many days at most, 0
// for ever: no setting may be more, and it holds where nothing is set.
func (d *Directory) KeepFor(days int64) *Directory {
	own := *d
	own.keep = &days
	return &own
}

// check returns what is wrong with settings here, beside what is wrong with them anywhere.
func (d *Directory) check(s *Settings) push.Faults {
	if d.keep == nil {
		return nil
	}
	return s.checkKeep(*d.keep)
}

// New returns a directory on documents; now nil is time.Now.
func New(docs document.Store, now func() time.Time) *Directory {
	if now == nil {
		now = time.Now
	}
	return &Directory{docs: docs, now: now}
}

// Versioned is what a document says, with its version.
type Versioned[T any] struct {
	Value   T
	Version int64
}

func load[T any](ctx context.Context, d *Directory, kind, name string) (Versioned[T], error) {
	var v Versioned[T]
	version, err := document.Load(ctx, d.docs, kind, name, &v.Value)
	if err != nil {
		return Versioned[T]{}, fmt.Errorf("%s %s: %w", kind, name, err)
	}
	v.Version = version
	return v, nil
}

func (d *Directory) save(ctx context.Context, kind, name string, version int64, v any) error {
	if err := document.Save(ctx, d.docs, kind, name, version, v, d.now()); err != nil {
		return fmt.Errorf("%s %s: %w", kind, name, err)
	}
	return nil
}

// change applies f to a document until nobody else writes it in between. f may be called
// several times.
func change[T any](ctx context.Context, d *Directory, kind, name string, f func(*T) error) (T, error) {
	const tries = 10
	var last error
	for range tries {
		v, err := load[T](ctx, d, kind, name)
		if err != nil {
			return v.Value, err
		}
		if err := f(&v.Value); err != nil {
			return v.Value, err
		}
		if last = d.save(ctx, kind, name, v.Version+1, v.Value); !errors.Is(last, push.ErrConflict) {
			return v.Value, last
		}
	}
	var none T
	return none, last
}

// list returns a page of a kind that keep lets through, and where the next one begins.
func list[T any](ctx context.Context, d *Directory, kind, cursor string, limit int, keep func(*T) bool) ([]T, string, error) {
	docs, next, err := d.docs.Documents(ctx, kind, cursor, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list %ss: %w", kind, err)
	}
	var out []T
	for i := range docs {
		var v T
		if err := decode(&docs[i], &v); err != nil {
			return nil, "", err
		}
		if keep(&v) {
			out = append(out, v)
		}
	}
	return out, next, nil
}

// every returns all of a kind that keep lets through. It reads the whole kind.
func every[T any](ctx context.Context, d *Directory, kind string, keep func(*T) bool) ([]T, error) {
	const page = 1000
	var all []T
	for cursor := ""; ; {
		some, next, err := list(ctx, d, kind, cursor, page, keep)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

// PlatformSettings returns what holds for every tenant that does not set it.
func (d *Directory) PlatformSettings(ctx context.Context) (Platform, error) {
	p, err := load[Platform](ctx, d, KindPlatform, platformName)
	if errors.Is(err, push.ErrNotFound) {
		return Platform{}, nil
	}
	return p.Value, err
}

// SetPlatform replaces the platform's settings.
func (d *Directory) SetPlatform(ctx context.Context, s Settings, by string) (Platform, error) {
	if err := append(s.Check(), d.check(&s)...).Below("/settings").Err(); err != nil {
		return Platform{}, err
	}
	p := Platform{Settings: s, UpdatedAt: d.now(), UpdatedBy: by}
	const tries = 10
	var last error
	for range tries {
		old, err := load[Platform](ctx, d, KindPlatform, platformName)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return Platform{}, err
		}
		if last = d.save(ctx, KindPlatform, platformName, old.Version+1, p); !errors.Is(last, push.ErrConflict) {
			return p, last
		}
	}
	return Platform{}, last
}

// Effective returns the settings that hold for an app of a tenant, and where each comes
// from. The app "" is [DefaultName].
func (d *Directory) Effective(ctx context.Context, tenant, app string) (Effective, error) {
	p, err := d.PlatformSettings(ctx)
	if err != nil {
		return Effective{}, err
	}
	t, err := d.settingsOf(ctx, tenant)
	if err != nil {
		return Effective{}, err
	}
	a, err := d.App(ctx, tenant, app)
	if err != nil {
		return Effective{}, err
	}
	e := Inherit(p.Settings, t, a.Settings)
	if d.keep != nil {
		e.keep(*d.keep)
	}
	return e, nil
}

// settingsOf returns what a tenant sets, or push.ErrNotFound.
func (d *Directory) settingsOf(ctx context.Context, tenant string) (Settings, error) {
	t, err := d.Tenant(ctx, tenant)
	if err == nil && t.Deleted() {
		err = errDeleted
	}
	return t.Settings, err
}
