package tenants

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// A caller sees and changes its own tenant only; for the platform's operator there are all.
func TestWhoseItIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		who, method, target, body string
		status                    int
		code                      door.Code
	}{
		"own tenant":               {"viewer", "GET", "/v1/tenants/acme", "", 200, ""},
		"another's":                {"viewer", "GET", "/v1/tenants/other", "", 404, door.CodeNotFound},
		"the operator's view":      {"root", "GET", "/v1/tenants/other", "", 200, ""},
		"none of that name":        {"root", "GET", "/v1/tenants/nobody", "", 404, door.CodeNotFound},
		"an odd name":              {"root", "GET", "/v1/tenants/a%2Fb", "", 404, door.CodeNotFound},
		"a long name":              {"root", "GET", "/v1/tenants/" + strings.Repeat("a", 41), "", 404, door.CodeNotFound},
		"list":                     {"owner", "GET", "/v1/tenants", "", 403, door.CodeForbidden},
		"make":                     {"owner", "POST", "/v1/tenants", `{"name":"new"}`, 403, door.CodeForbidden},
		"end one's own":            {"owner", "DELETE", "/v1/tenants/acme", "", 403, door.CodeForbidden},
		"change one's own":         {"owner", "PATCH", "/v1/tenants/acme", `{"about":"us"}`, 200, ""},
		"change another's":         {"owner", "PATCH", "/v1/tenants/other", `{"about":"us"}`, 404, door.CodeNotFound},
		"raise a quota":            {"owner", "PATCH", "/v1/tenants/acme", `{"settings":{"weight":9}}`, 403, door.CodeForbidden},
		"raise it for an app":      {"owner", "PATCH", "/v1/apps/shop", `{"settings":{"requests_per_second":0}}`, 403, door.CodeForbidden},
		"bring one with an app":    {"owner", "POST", "/v1/apps", `{"name":"new","settings":{"keep_days":9}}`, 403, door.CodeForbidden},
		"the operator raises it":   {"root", "PATCH", "/v1/apps/shop?tenant=acme", `{"settings":{"requests_per_second":0}}`, 200, ""},
		"another's app":            {"other", "GET", "/v1/apps/shop", "", 404, door.CodeNotFound},
		"another tenant's apps":    {"other", "GET", "/v1/apps?tenant=acme", "", 404, door.CodeNotFound},
		"the same, that is nobody": {"other", "GET", "/v1/apps?tenant=nobody", "", 404, door.CodeNotFound},
		"another's keys":           {"other", "GET", "/v1/api-keys?tenant=acme", "", 404, door.CodeNotFound},
		"a key for another":        {"other", "POST", "/v1/api-keys?tenant=acme", `{}`, 404, door.CodeNotFound},
		"another's roles":          {"other", "GET", "/v1/roles?tenant=acme", "", 404, door.CodeNotFound},
		"another's configuration":  {"other", "GET", "/v1/configuration?tenant=acme", "", 404, door.CodeNotFound},
		"the platform's settings":  {"owner", "GET", "/v1/platform", "", 403, door.CodeForbidden},
		"an app, limited to it":    {"shop", "PATCH", "/v1/apps/shop", `{"settings":{"ttl":60}}`, 200, ""},
		"limited to another":       {"shop", "GET", "/v1/apps/bank", "", 404, door.CodeNotFound},
		"limited, makes an app":    {"shop", "POST", "/v1/apps", `{"name":"new"}`, 403, door.CodeForbidden},
		"limited, ends its app":    {"shop", "DELETE", "/v1/apps/shop", "", 403, door.CodeForbidden},
		"limited, the tenant":      {"shop", "PATCH", "/v1/tenants/acme", `{"about":"us"}`, 403, door.CodeForbidden},
		"limited, makes a role":    {"shop", "POST", "/v1/roles", `{"name":"x","permissions":["read"]}`, 403, door.CodeForbidden},
		"limited, ends a role":     {"shop", "DELETE", "/v1/roles/x", "", 403, door.CodeForbidden},
		"limited, another's key":   {"shop", "POST", "/v1/api-keys", `{"app":"bank"}`, 403, door.CodeForbidden},
		"limited, configuration":   {"shop", "GET", "/v1/configuration?app=bank", "", 404, door.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup(t, entrance(false)).as(t, c.who, c.method, c.target, c.body).Want(t, c.status, c.code)
		})
	}
}

// A tenant is made once, changed, and ended for good.
func TestLifeOfATenant(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(false))
	made := read[client.Tenant](t, g.as(t, "root", "POST", "/v1/tenants", `{"name":"new","settings":{"weight":2,"ttl":60}}`))
	if made.Name != "new" || *made.Settings.Weight != 2 || made.CreatedBy != "key:root" || len(made.Notes) != 0 {
		t.Errorf("made %+v", made)
	}
	g.as(t, "root", "POST", "/v1/tenants", `{"name":"new"}`).Want(t, http.StatusConflict, door.CodeTaken)
	g.as(t, "root", "POST", "/v1/tenants", `{"name":"default"}`).Want(t, http.StatusConflict, door.CodeTaken)
	changed := read[client.Tenant](t, g.as(t, "root", "PATCH", "/v1/tenants/new", `{"about":"New","settings":{"ttl":null,"keep_days":7}}`))
	if changed.Settings.TTL != nil || *changed.Settings.KeepDays != 7 || *changed.Settings.Weight != 2 || changed.About != "New" {
		t.Errorf("changed to %+v", changed)
	}
	for body, pointer := range map[string]string{
		`{"settings":{"ttl":0}}`: "/settings/ttl", `{"settings":{"weigth":null}}`: "/settings/weigth", `{"name":"x"}`: "/name",
		`{"settings":{"keep_days":"7"}}`: "/settings/keep_days", `{"settings":{"keep_days":2}}`: "/settings/keep_days",
	} {
		got := g.as(t, "root", "PATCH", "/v1/tenants/new", body).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
		if got.Problem.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v", body, got.Problem.Errors)
		}
	}
	names := func() (all []string) {
		for _, x := range read[client.TenantList](t, g.as(t, "root", "GET", "/v1/tenants", "")).Items {
			all = append(all, x.Name)
		}
		return all
	}
	if got := names(); !reflect.DeepEqual(got, []string{"default", "acme", "new", "other"}) {
		t.Errorf("tenants %v", got)
	}
	g.as(t, "root", "PATCH", "/v1/tenants/default", `{"about":"us"}`).Want(t, http.StatusOK, "")
	g.as(t, "root", "DELETE", "/v1/tenants/new", "").Want(t, http.StatusNoContent, "")
	if got := names(); !reflect.DeepEqual(got, []string{"default", "acme", "other"}) {
		t.Errorf("tenants %v, once default is written and new is gone", got)
	}
	for _, method := range []string{"GET", "DELETE"} {
		g.as(t, "root", method, "/v1/tenants/new", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	}
	g.as(t, "root", "GET", "/v1/apps?tenant=new", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.as(t, "root", "POST", "/v1/tenants", `{"name":"new"}`).Want(t, http.StatusConflict, door.CodeTaken)
	g.as(t, "root", "DELETE", "/v1/tenants/default", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}

// Nobody locks himself out: the second tenant ends that requests without a key are let in, and
// is not made while there is no key.
func TestSecondTenantNeedsAKey(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(true))
	got := g.as(t, "root", "POST", "/v1/tenants", `{"name":"new"}`).Want(t, http.StatusConflict, door.CodeState)
	if !strings.Contains(got.Problem.Detail, "belfry key create --role owner") {
		t.Errorf("the way out is not named: %s", got.Problem.Detail)
	}
	key := read[client.NewAPIKey](t, g.as(t, "root", "POST", "/v1/api-keys", `{"role":"owner"}`))
	if len(key.Notes) != 1 || !strings.Contains(key.Notes[0], "still let in") || !strings.Contains(key.Notes[0], "BELFRY_API_KEY") {
		t.Errorf("notes %q", key.Notes)
	}
	made := read[client.Tenant](t, g.as(t, "root", "POST", "/v1/tenants", `{"name":"new"}`))
	if len(made.Notes) != 1 || !strings.Contains(made.Notes[0], "without an API key are refused") {
		t.Errorf("notes %q", made.Notes)
	}
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(false))
	g.as(t, "root", "PUT", "/v1/platform", `{}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	set := read[client.PlatformSettings](t, g.as(t, "root", "PUT", "/v1/platform", `{"settings":{"ttl":60,"weight":2}}`))
	if *set.Settings.TTL != 60 || set.UpdatedBy != "key:root" {
		t.Errorf("set %+v", set)
	}
	g.as(t, "root", "PATCH", "/v1/tenants/acme", `{"settings":{"weight":3}}`).Want(t, http.StatusOK, "")
	g.as(t, "owner", "PATCH", "/v1/apps/shop", `{"settings":{"priority":"bulk"}}`).Want(t, http.StatusOK, "")
	c := read[client.Configuration](t, g.as(t, "viewer", "GET", "/v1/configuration?app=shop", ""))
	want := map[string]client.Origin{
		"ttl": client.OriginPlatform, "weight": client.OriginTenant, "priority": client.OriginApp, "keep_days": client.OriginDefault,
	}
	for name, origin := range want {
		if c.From[name] != origin {
			t.Errorf("%s is from %s, want %s", name, c.From[name], origin)
		}
	}
	s := c.Settings
	if c.Tenant != "acme" || c.App != "shop" || *s.TTL != 60 || *s.Weight != 3 || *s.Priority != client.PriorityBulk {
		t.Errorf("effective %+v", c)
	}
	if c := read[client.Configuration](t, g.as(t, "shop", "GET", "/v1/configuration", "")); c.App != "shop" {
		t.Errorf("a caller that is limited to an app sees %s", c.App)
	}
	again := read[client.PlatformSettings](t, g.as(t, "root", "PUT", "/v1/platform", `{"settings":{}}`))
	got := read[client.PlatformSettings](t, g.as(t, "root", "GET", "/v1/platform", ""))
	if again.Settings.TTL != nil || got.Settings.TTL != nil {
		t.Errorf("what is left out stays: %+v", got)
	}
}

// The API's settings are those of the directory, name by name.
func TestSettingsAreTheSame(t *testing.T) {
	t.Parallel()
	ours, theirs := reflect.TypeFor[access.Settings](), reflect.TypeFor[client.Settings]()
	if ours.NumField() != theirs.NumField() {
		t.Fatalf("%d settings here, %d in the client", ours.NumField(), theirs.NumField())
	}
	for i := range ours.NumField() {
		if a, b := ours.Field(i), theirs.Field(i); a.Tag.Get("json") != b.Tag.Get("json") || !a.Type.ConvertibleTo(b.Type) {
			t.Errorf("%s %s is %s %s in the client", a.Name, a.Type, b.Name, b.Type)
		}
		name, _, _ := strings.Cut(theirs.Field(i).Tag.Get("json"), ",")
		said := strings.HasSuffix(theirs.Field(i).Tag.Get("doc"), "an entitlement")
		if want := len(access.EntitlementsChanged(&access.Settings{}, with(t, i))) > 0; said != want {
			t.Errorf("%s: described as an entitlement %t, is one %t", name, said, want)
		}
	}
	if got, want := len(client.Permissions()), len(access.Permissions()); got != want {
		t.Errorf("%d permissions in the client, %d here", got, want)
	}
	for i, p := range access.Permissions() {
		if string(client.Permissions()[i]) != string(p) {
			t.Errorf("permission %s is %s in the client", p, client.Permissions()[i])
		}
	}
	for i, s := range access.Scopes() {
		if string(client.Scopes()[i]) != string(s) {
			t.Errorf("scope %s is %s in the client", s, client.Scopes()[i])
		}
	}
}

// with returns settings of which only the field i is set.
func with(t *testing.T, i int) *access.Settings {
	t.Helper()
	var s access.Settings
	builtin := access.Builtin()
	reflect.ValueOf(&s).Elem().Field(i).Set(reflect.ValueOf(builtin).Field(i))
	return &s
}
