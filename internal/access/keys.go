package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Role returns a role of a tenant: a built-in one, or one that the tenant made.
func (d *Directory) Role(ctx context.Context, tenant, name string) (Role, error) {
	if r, ok := builtin(name); ok {
		r.Tenant = tenant
		return r, nil
	}
	if !ValidName(tenant) || !ValidName(name) {
		return Role{}, push.ErrNotFound
	}
	r, err := load[Role](ctx, d, KindRole, tenant+"/"+name)
	return r.Value, err
}

// Roles returns the roles of a tenant, built-in ones first. It reads the roles of all
// tenants.
func (d *Directory) Roles(ctx context.Context, tenant string) ([]Role, error) {
	all := BuiltinRoles()
	for i := range all {
		all[i].Tenant = tenant
	}
	own, err := every(ctx, d, KindRole, func(r *Role) bool { return r.Tenant == tenant })
	return append(all, own...), err
}

// CreateRole makes a role of a tenant. may is what its maker may: nobody makes a role that
// allows more.
func (d *Directory) CreateRole(ctx context.Context, r Role, may Set, by string) (Role, error) {
	if err := r.check().Err(); err != nil {
		return Role{}, err
	}
	if !may.Covers(r.Set()) {
		return Role{}, tooMuch("/permissions", r.Set()&^may)
	}
	r.CreatedAt, r.CreatedBy = d.now(), by
	return r, d.save(ctx, KindRole, r.Tenant+"/"+r.Name, 1, r)
}

// DeleteRole removes a role that a tenant made. Keys with it then allow nothing.
func (d *Directory) DeleteRole(ctx context.Context, tenant, name string) error {
	if _, ok := builtin(name); ok {
		return push.Faults{{Code: push.FaultReserved, Detail: name + " is built in and can't be deleted"}}
	}
	if !ValidName(name) {
		return push.ErrNotFound
	}
	r, err := load[Role](ctx, d, KindRole, tenant+"/"+name)
	if err != nil {
		return err
	}
	return d.docs.DeleteDocument(ctx, KindRole, tenant+"/"+name, r.Version)
}

func tooMuch(pointer string, surplus Set) push.Faults {
	return push.Faults{{
		Pointer: pointer, Code: push.FaultValue, Detail: fmt.Sprintf("would allow more than the caller may itself: %s", surplus),
	}}
}

// Key returns what is stored of a tenant's key, or push.ErrNotFound.
func (d *Directory) Key(ctx context.Context, tenant, id string) (Key, error) {
	if !ofAlphabet(id, idAlphabet, keyIDLen, keyIDLen) {
		return Key{}, push.ErrNotFound
	}
	k, err := load[Key](ctx, d, KindKey, id)
	if err == nil && k.Value.Tenant != tenant {
		return Key{}, push.ErrNotFound
	}
	return k.Value, err
}

// Keys returns the keys of a tenant, also those that open nothing any more, the oldest first.
// It reads the keys of all tenants.
func (d *Directory) Keys(ctx context.Context, tenant string) ([]Key, error) {
	return d.keys(ctx, func(k *Key) bool { return k.Tenant == tenant })
}

// AllKeys returns the keys of all tenants, as [Directory.Keys].
func (d *Directory) AllKeys(ctx context.Context) ([]Key, error) {
	return d.keys(ctx, func(*Key) bool { return true })
}

func (d *Directory) keys(ctx context.Context, keep func(*Key) bool) ([]Key, error) {
	keys, err := every(ctx, d, KindKey, keep)
	slices.SortFunc(keys, func(a, b Key) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return keys, err
}

// CreateKey makes a key of a tenant and returns its text, which is stored nowhere. may is
// what its maker may: nobody makes a key that allows more.
func (d *Directory) CreateKey(ctx context.Context, tenant string, n NewKey, may Set, by string) (string, Key, error) {
	n = n.filled()
	faults := n.check(d.now())
	role, err := d.Role(ctx, tenant, n.Role)
	switch {
	case errors.Is(err, push.ErrNotFound):
		faults = append(faults, push.Fault{
			Pointer: "/role", Code: push.FaultValue,
			Detail: fmt.Sprintf("must be a role of the tenant (got %q): GET /v1/roles lists them", shown(n.Role)),
		})
	case err != nil:
		return "", Key{}, err
	}
	if _, err := d.App(ctx, tenant, n.App); errors.Is(err, push.ErrNotFound) {
		faults = append(faults, push.Fault{
			Pointer: "/app", Code: push.FaultValue, Detail: fmt.Sprintf("must be an app of the tenant (got %q)", shown(n.App)),
		})
	} else if err != nil {
		return "", Key{}, err
	}
	if err := faults.Err(); err != nil {
		return "", Key{}, err
	}
	if gives := granted(tenant, n.App, &role, n.Scopes); !may.Covers(gives) {
		return "", Key{}, tooMuch("/role", gives&^may)
	}
	text, k := d.newKey(tenant, n, by)
	return text, k, d.save(ctx, KindKey, k.ID, 1, k)
}

// newKey returns a key, which is stored nowhere yet, with its text; n is filled.
func (d *Directory) newKey(tenant string, n NewKey, by string) (string, Key) {
	text, id := mint(n.Env)
	return text, Key{
		ID: id, Tenant: tenant, App: n.App, Name: n.Name, Env: n.Env, Role: n.Role, Scopes: n.Scopes, Hash: hashOf(text), Networks: n.Networks,
		CreatedAt: d.now(), CreatedBy: by, ExpiresAt: n.ExpiresAt,
	}
}

// granted is what a role allows a key of a tenant, limited to an app, with some scopes. What
// concerns a whole tenant, or all of them, is not for a key that may not see its own tenant's
// other apps.
func granted(tenant, app string, r *Role, scopes []Scope) Set {
	s := r.Set() & covered(scopes)
	if tenant != DefaultName {
		s &^= SetOf(PermPlatform)
	}
	if app != "" {
		s &^= SetOf(PermPlatform, PermAudit, PermApprove, PermPrivacy)
	}
	return s
}

// RotateKey makes a key like another one, which stays live for overlap and ends then: two
// live keys, so that callers can change over. A key that expires sooner keeps its time.
func (d *Directory) RotateKey(ctx context.Context, tenant, id string, overlap time.Duration, may Set, by string) (string, Key, error) {
	old, err := d.Key(ctx, tenant, id)
	if err != nil {
		return "", Key{}, err
	}
	now := d.now()
	if !old.Live(now) {
		return "", Key{}, push.Faults{{Code: push.FaultConflict, Detail: "the key is revoked or expired: make a new one"}}
	}
	role, err := d.Role(ctx, tenant, old.Role)
	if err != nil {
		return "", Key{}, err
	}
	if gives := granted(tenant, old.App, &role, old.Scopes); !may.Covers(gives) {
		return "", Key{}, tooMuch("", gives&^may)
	}
	text, newID := mint(old.Env)
	k := Key{
		ID: newID, Tenant: tenant, App: old.App, Name: old.Name, Env: old.Env, Role: old.Role, Scopes: old.Scopes, Hash: hashOf(text),
		Networks: old.Networks, CreatedAt: now, CreatedBy: by, ExpiresAt: old.ExpiresAt, Replaces: old.ID,
	}
	if err := d.save(ctx, KindKey, newID, 1, k); err != nil {
		return "", Key{}, err
	}
	// A crash in between leaves the old key as it was; a repeat makes one more.
	_, err = change(ctx, d, KindKey, id, func(o *Key) error {
		if ends := now.Add(overlap); o.ExpiresAt.IsZero() || o.ExpiresAt.After(ends) {
			o.ExpiresAt = ends
		}
		return nil
	})
	return text, k, err
}

// RevokeKey ends a key. Every process refuses it after [CacheFor] at the latest.
func (d *Directory) RevokeKey(ctx context.Context, tenant, id, by string) (Key, error) {
	if _, err := d.Key(ctx, tenant, id); err != nil {
		return Key{}, err
	}
	return change(ctx, d, KindKey, id, func(k *Key) error {
		if k.RevokedAt.IsZero() {
			k.RevokedAt, k.RevokedBy = d.now(), by
		}
		return nil
	})
}

// touch notes that a key was used. A lost race is no harm: somebody else noted it.
func (d *Directory) touch(ctx context.Context, id string) error {
	_, err := change(ctx, d, KindKey, id, func(k *Key) error {
		k.UsedAt = d.now()
		return nil
	})
	return err
}

// HasOperatorKey reports whether there is a live key of the platform's operator. It reads all
// keys.
func (d *Directory) HasOperatorKey(ctx context.Context) (bool, error) {
	now, found := d.now(), false
	keys, err := d.Keys(ctx, DefaultName)
	for i := range keys {
		k := &keys[i]
		if found || !k.Live(now) {
			continue
		}
		role, err := d.Role(ctx, DefaultName, k.Role)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return false, err
		}
		found = err == nil && granted(DefaultName, k.App, &role, k.Scopes).Has(PermPlatform)
	}
	return found, err
}
