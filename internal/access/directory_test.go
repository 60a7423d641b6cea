package access_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

func directory() *access.Directory { return access.New(&documenttest.Memory{}, nil) }

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	d, ctx := directory(), t.Context()
	if def := must[access.Tenant](t)(d.Tenant(ctx, access.DefaultName)); def.Deleted() {
		t.Error("the default tenant is not there from the start")
	}
	must[access.Tenant](t)(d.CreateTenant(ctx, access.Tenant{Name: "acme"}, "me"))
	if _, err := d.CreateTenant(ctx, access.Tenant{Name: "acme"}, "me"); !errors.Is(err, push.ErrConflict) {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := d.CreateTenant(ctx, access.Tenant{Name: "a/b"}, "me"); err == nil || !strings.Contains(err.Error(), "/name") {
		t.Errorf("a bad name: %v", err)
	}
	for _, name := range []string{"acme", access.DefaultName} {
		got := must[access.Tenant](t)(d.ChangeTenant(ctx, name, func(x *access.Tenant) error {
			x.Settings.Weight, x.Name = new(int64(7)), "stolen"
			return nil
		}))
		if *got.Settings.Weight != 7 || got.Name != name {
			t.Errorf("changed to %+v", got)
		}
	}
	if e := must[access.Effective](t)(d.Effective(ctx, "acme", "")); *e.Weight != 7 || e.From["weight"] != access.FromTenant {
		t.Errorf("effective weight %d from %s", *e.Weight, e.From["weight"])
	}
	must[access.Tenant](t)(d.DeleteTenant(ctx, "acme"))
	if _, err := d.ChangeTenant(ctx, "acme", func(*access.Tenant) error { return nil }); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("a deleted tenant is changed: %v", err)
	}
	if left := must[[]access.Ending](t)(d.Endings(ctx)); len(left) != 1 || left[0].What() != "tenant acme" || left[0].Since.IsZero() {
		t.Errorf("to be ended: %v", left)
	} else if err := d.CloseEnding(ctx, left[0]); err != nil || len(must[[]access.Ending](t)(d.Endings(ctx))) != 0 {
		t.Errorf("closed, and still to be ended: %v", err)
	}
	if _, err := d.CreateTenant(ctx, access.Tenant{Name: "acme"}, "me"); !errors.Is(err, push.ErrConflict) {
		t.Errorf("the name of a deleted tenant is given to another: %v", err)
	}
	if _, err := d.DeleteTenant(ctx, access.DefaultName); err == nil {
		t.Error("the default tenant is deleted")
	}
}

func TestApps(t *testing.T) {
	t.Parallel()
	d, ctx := directory(), t.Context()
	must[access.App](t)(d.CreateApp(ctx, access.App{Tenant: "acme", Name: "shop"}, "me"))
	must[access.App](t)(d.CreateApp(ctx, access.App{Tenant: "other", Name: "shop"}, "me"))
	apps := must[[]access.App](t)(d.Apps(ctx, "acme"))
	if len(apps) != 2 || apps[0].Name != access.DefaultName || apps[1].Name != "shop" || apps[1].Tenant != "acme" {
		t.Errorf("apps of acme: %+v", apps)
	}
	must[access.App](t)(d.DeleteApp(ctx, "acme", "shop"))
	if _, err := d.App(ctx, "acme", "shop"); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("a deleted app: %v", err)
	}
	if _, err := d.App(ctx, "other", "shop"); err != nil {
		t.Errorf("another tenant's app went with it: %v", err)
	}
}

// Nobody makes a key that may do more than he may himself.
func TestKeysGiveNoMoreThanTheirMakerHas(t *testing.T) {
	t.Parallel()
	d, ctx := directory(), t.Context()
	admin := access.SetOf(access.PermAdmin, access.PermRead)
	_, _, err := d.CreateKey(ctx, "acme", access.NewKey{Role: access.RoleOwner}, admin, "me")
	if err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("owner: %v", err)
	}
	if _, _, err := d.CreateKey(ctx, "acme", access.NewKey{Role: access.RoleViewer}, admin, "me"); err != nil {
		t.Errorf("viewer: %v", err)
	}
	sends := access.Role{Tenant: "acme", Name: "x", Permissions: []access.Permission{access.PermSend}}
	if _, err := d.CreateRole(ctx, sends, admin, "me"); err == nil {
		t.Error("a role with more than its maker has")
	}
	_, _, err = d.CreateKey(ctx, "acme", access.NewKey{
		Role: "nobody", App: "none", Env: "LIVE", Scopes: []access.Scope{"all"}, ExpiresAt: time.Now().Add(-time.Hour),
	}, access.AllPermissions(), "me")
	for _, p := range []string{"/role", "/app", "/env", "/scopes/0", "/expires_at"} {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s is not named in: %v", p, err)
		}
	}
}

// authWorld is an authenticator on a directory with one tenant and its key.
type authWorld struct {
	*access.Directory
	*access.Authenticator

	docs *documenttest.Memory
	text string
	key  access.Key
}

func newAuthWorld(t *testing.T, n access.NewKey, cfg access.AuthConfig) *authWorld {
	t.Helper()
	w := &authWorld{docs: &documenttest.Memory{}}
	w.Directory = access.New(w.docs, nil)
	cfg.Directory, cfg.Log = w.Directory, zap.NewNop()
	w.Authenticator = must[*access.Authenticator](t)(access.NewAuthenticator(cfg))
	if n.Role != "" {
		must[access.Tenant](t)(w.CreateTenant(t.Context(), access.Tenant{Name: "acme"}, "me"))
		var err error
		if w.text, w.key, err = w.CreateKey(t.Context(), "acme", n, access.AllPermissions(), "me"); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// ask returns who has a key, and why not.
func (w *authWorld) ask(ctx context.Context, text, from string) (access.Caller, string) {
	p := access.Presented{Key: text}
	if from != "" {
		p.From = netip.MustParseAddr(from)
	}
	c, err := w.Authenticate(ctx, p)
	if denied, ok := errors.AsType[*access.DeniedError](err); ok {
		return c, denied.Reason
	}
	if err != nil {
		return c, "error: " + err.Error()
	}
	return c, ""
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newAuthWorld(t, access.NewKey{
			Role: access.RoleOwner, Scopes: []access.Scope{access.ScopeSend, access.ScopeAdmin}, ExpiresAt: time.Now().Add(time.Hour),
			Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		}, access.AuthConfig{Fixed: access.NewKeys(map[string]string{"from settings": access.DefaultName})})
		defer w.Close()
		ctx := t.Context()
		c, why := w.ask(ctx, w.text, "10.1.2.3")
		if want := access.SetOf(access.PermSend, access.PermManage, access.PermAdmin, access.PermApprove, access.PermPrivacy); why != "" ||
			c.Tenant != "acme" || c.Key != w.key.ID || c.May != want {
			t.Errorf("caller %+v (%s), want permissions %s", c, why, want)
		}
		if c, why := w.ask(ctx, "from settings", ""); why != "" || c.Tenant != access.DefaultName || !c.Can(access.PermPlatform) {
			t.Errorf("the key of the settings: %+v (%s)", c, why)
		}
		forged := w.text[:len(w.text)-42] + strings.Repeat("A", 32)
		for name, a := range map[string]struct{ text, from, want string }{
			"none":            {"", "10.1.2.3", "give an API key"},
			"mistyped":        {w.text + "0", "10.1.2.3", "checksum"},
			"forged":          {forged, "10.1.2.3", "checksum"},
			"unknown":         {"something", "10.1.2.3", "not known"},
			"other network":   {w.text, "192.0.2.1", "must not be used from 192.0.2.1"},
			"unknown address": {w.text, "", "must not be used"},
			"IPv4 in IPv6":    {w.text, "::ffff:10.1.2.3", ""},
		} {
			if _, why := w.ask(ctx, a.text, a.from); (a.want == "") != (why == "") || !strings.Contains(why, a.want) {
				t.Errorf("%s: %q, want %q", name, why, a.want)
			}
		}
		time.Sleep(time.Hour)
		if _, why := w.ask(ctx, w.text, "10.1.2.3"); !strings.Contains(why, "expired") {
			t.Errorf("after its end: %q", why)
		}
	})
}

// A change is noticed within five seconds, also where the key is in use all the time.
func TestRevokedWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *authWorld){
		"revoked": func(t *testing.T, w *authWorld) {
			t.Helper()
			must[access.Key](t)(w.RevokeKey(t.Context(), "acme", w.key.ID, "me"))
		},
		"deleted": func(t *testing.T, w *authWorld) {
			t.Helper()
			must[access.Tenant](t)(w.DeleteTenant(t.Context(), "acme"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newAuthWorld(t, access.NewKey{Role: access.RoleSender}, access.AuthConfig{})
				defer w.Close()
				if _, why := w.ask(t.Context(), w.text, ""); why != "" {
					t.Fatal(why)
				}
				end(t, w)
				at := time.Now()
				for why := ""; why == ""; time.Sleep(100 * time.Millisecond) {
					if _, why = w.ask(t.Context(), w.text, ""); time.Since(at) > 5*time.Second {
						t.Fatal("it opens still")
					} else if why != "" && !strings.Contains(why, name) {
						t.Errorf("refused because %q", why)
					}
				}
			})
		})
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newAuthWorld(t, access.NewKey{Role: access.RoleSender}, access.AuthConfig{})
		defer w.Close()
		text, k, err := w.RotateKey(t.Context(), "acme", w.key.ID, time.Hour, access.AllPermissions(), "me")
		if err != nil || k.Replaces != w.key.ID {
			t.Fatalf("%+v, %v", k, err)
		}
		for _, one := range []string{w.text, text} {
			if _, why := w.ask(t.Context(), one, ""); why != "" {
				t.Errorf("one of two live keys: %s", why)
			}
		}
		time.Sleep(time.Hour + access.CacheFor)
		if _, why := w.ask(t.Context(), w.text, ""); !strings.Contains(why, "expired") {
			t.Errorf("the old one after the overlap: %q", why)
		}
		if _, why := w.ask(t.Context(), text, ""); why != "" {
			t.Errorf("the new one: %s", why)
		}
		if _, _, err := w.RotateKey(t.Context(), "acme", w.key.ID, time.Hour, access.AllPermissions(), "me"); err == nil {
			t.Error("an expired key is rotated")
		}
	})
}

// Without a key everybody is let in only as long as nobody else's things are there.
func TestOpenUntilThereAreTenants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newAuthWorld(t, access.NewKey{}, access.AuthConfig{Open: true})
		defer w.Close()
		if c, why := w.ask(t.Context(), "", ""); why != "" || c.Name != access.Anonymous || !c.Can(access.PermPlatform) {
			t.Errorf("alone: %+v (%s)", c, why)
		}
		if _, why := w.ask(t.Context(), "blf_live_x", ""); why == "" {
			t.Error("a wrong key is let in")
		}
		must[access.Tenant](t)(w.CreateTenant(t.Context(), access.Tenant{Name: "acme"}, "me"))
		time.Sleep(access.CacheFor)
		if _, why := w.ask(t.Context(), "", ""); !strings.Contains(why, "more than one tenant") {
			t.Errorf("with two tenants: %q", why)
		}
	})
}

// Tenants that were deleted do not hide one that is there.
func TestOpenCountsPastDeletedTenants(t *testing.T) {
	t.Parallel()
	w := newAuthWorld(t, access.NewKey{}, access.AuthConfig{Open: true})
	defer w.Close()
	for _, name := range []string{"a", "b", "c", "z"} {
		must[access.Tenant](t)(w.CreateTenant(t.Context(), access.Tenant{Name: name}, "me"))
	}
	for _, name := range []string{"a", "b", "c"} {
		must[access.Tenant](t)(w.DeleteTenant(t.Context(), name))
	}
	if c, why := w.ask(t.Context(), "", ""); why == "" {
		t.Errorf("let in as %+v", c)
	}
}

func TestUseIsNoted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newAuthWorld(t, access.NewKey{Role: access.RoleSender}, access.AuthConfig{})
		defer w.Close()
		for range 100 {
			w.ask(t.Context(), w.text, "")
		}
		synctest.Wait()
		doc, err := w.docs.Document(t.Context(), access.KindKey, w.key.ID)
		if k := must[access.Key](t)(w.Key(t.Context(), "acme", w.key.ID)); err != nil || k.UsedAt.IsZero() || doc.Version != 2 {
			t.Errorf("used at %v, version %d (%v); want one note", k.UsedAt, doc.Version, err)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	docs := &documenttest.Memory{}
	d := access.New(docs, nil)
	a, err := access.NewAuthenticator(access.AuthConfig{Directory: d, Log: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	if _, err := d.CreateTenant(b.Context(), access.Tenant{Name: "acme"}, "me"); err != nil {
		b.Fatal(err)
	}
	text, _, err := d.CreateKey(b.Context(), "acme", access.NewKey{}, access.AllPermissions(), "me")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), access.Presented{Key: text}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEffectsOfDeleted: within [access.CacheFor] it is known everywhere what was deleted, and told
// from what never was.
func TestEffectsOfDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, ctx := directory(), t.Context()
		e := must[*access.Effects](t)(access.NewEffects(d))
		defer e.Close()
		must[access.Tenant](t)(d.CreateTenant(ctx, access.Tenant{Name: "acme"}, "me"))
		must[access.App](t)(d.CreateApp(ctx, access.App{Tenant: "acme", Name: "shop"}, "me"))
		deleted := func(tenant, app string) bool { return must[bool](t)(e.Deleted(ctx, tenant, app)) }
		if deleted("acme", "shop") || deleted("acme", "") || deleted("acme", "none") || deleted("nobody", "") {
			t.Error("something is deleted that is not, or never was")
		}
		must[access.App](t)(d.DeleteApp(ctx, "acme", "shop"))
		time.Sleep(access.CacheFor)
		if !deleted("acme", "shop") || deleted("acme", "") {
			t.Error("a deleted app is not known to be, or its tenant is")
		}
		must[access.Tenant](t)(d.DeleteTenant(ctx, "acme"))
		time.Sleep(access.CacheFor)
		if !deleted("acme", "shop") || !deleted("acme", "") {
			t.Error("a deleted tenant is not known to be")
		}
	})
}
