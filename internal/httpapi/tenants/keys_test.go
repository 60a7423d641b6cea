package tenants

import (
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// The text of a key is in one answer, and neither in what is kept for repeats nor anywhere else.
func TestKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(false))
	const body = `{"name":"checkout","role":"sender","networks":["10.1.2.3/8","2001:db8::1","::ffff:192.0.2.0/120"],"scopes":["send"]}`
	first := g.as(t, "owner", "POST", "/v1/api-keys", body, "Idempotency-Key", "k1")
	made := read[client.NewAPIKey](t, first)
	if id, err := access.ParseKey(made.Key); err != nil || id != made.APIKey.ID {
		t.Fatalf("made %+v: %v", made, err)
	}
	if want := []string{"10.0.0.0/8", "2001:db8::1/128", "192.0.2.0/24"}; strings.Join(made.APIKey.Networks, " ") != strings.Join(want, " ") {
		t.Errorf("networks %v, want %v", made.APIKey.Networks, want)
	}
	if made.APIKey.Tenant != "acme" || made.APIKey.CreatedBy != "key:owner" || made.APIKey.State != client.APIKeyLive {
		t.Errorf("made %+v", made.APIKey)
	}
	again := g.as(t, "owner", "POST", "/v1/api-keys", body, "Idempotency-Key", "k1")
	repeat := read[client.NewAPIKey](t, again)
	same := repeat.APIKey.ID == made.APIKey.ID && again.Header().Get("Idempotency-Replayed") == "true"
	if !same || repeat.Key != "" || len(repeat.Notes) == 0 {
		t.Errorf("the repeat answers %+v", repeat)
	}
	secret := strings.Split(made.Key, "_")[3]
	for _, target := range []string{"/v1/api-keys", "/v1/api-keys/" + made.APIKey.ID} {
		if got := g.as(t, "owner", "GET", target, ""); got.Code != http.StatusOK || strings.Contains(got.Body.String(), secret) {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
	if n := len(read[client.APIKeyList](t, g.as(t, "owner", "GET", "/v1/api-keys", "")).Items); n != 1 {
		t.Errorf("%d keys, want 1", n)
	}
}

// Whoever is limited to an app makes, sees and ends keys of that app only.
func TestKeysOfAnApp(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(false))
	of := func(app string) string {
		return read[client.NewAPIKey](t, g.as(t, "owner", "POST", "/v1/api-keys", `{"app":"`+app+`"}`)).APIKey.ID
	}
	shop, bank, all := of("shop"), of("bank"), of("")
	own := read[client.NewAPIKey](t, g.as(t, "shop", "POST", "/v1/api-keys", `{}`))
	if own.APIKey.App != "shop" {
		t.Errorf("a key of app %q", own.APIKey.App)
	}
	list := read[client.APIKeyList](t, g.as(t, "shop", "GET", "/v1/api-keys", ""))
	if len(list.Items) != 2 || list.Items[0].App != "shop" || list.Items[1].App != "shop" {
		t.Errorf("sees %+v", list.Items)
	}
	for _, id := range []string{bank, all} {
		for _, call := range []string{"GET ", "DELETE ", "POST /rotate"} {
			method, path, _ := strings.Cut(call, " ")
			g.as(t, "shop", method, "/v1/api-keys/"+id+path, "").Want(t, http.StatusNotFound, door.CodeNotFound)
		}
	}
	g.as(t, "other", "GET", "/v1/api-keys/"+shop, "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.as(t, "other", "DELETE", "/v1/api-keys/"+shop, "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

func TestLifeOfAKey(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(false))
	made := read[client.NewAPIKey](t, g.as(t, "root", "POST", "/v1/api-keys?tenant=acme", `{"role":"viewer"}`))
	one := "/v1/api-keys/" + made.APIKey.ID
	for body, pointer := range map[string]string{
		`{"overlap":"soon"}`: "/overlap", `{"overlap":"-1s"}`: "/overlap", `{"overlap":"721h"}`: "/overlap",
	} {
		got := g.as(t, "owner", "POST", one+"/rotate", body).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
		if got.Problem.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v", body, got.Problem.Errors)
		}
	}
	next := read[client.NewAPIKey](t, g.as(t, "owner", "POST", one+"/rotate", `{"overlap":"1h"}`, "Idempotency-Key", "r"))
	if next.APIKey.Replaces != made.APIKey.ID || next.APIKey.Role != "viewer" || next.Key == "" {
		t.Errorf("rotated to %+v", next)
	}
	repeat := g.as(t, "owner", "POST", one+"/rotate", `{"overlap":"1h"}`, "Idempotency-Key", "r")
	if read[client.NewAPIKey](t, repeat).Key != "" {
		t.Error("the repeat has the key's text")
	}
	if old := read[client.APIKey](t, g.as(t, "owner", "GET", one, "")); old.State != client.APIKeyLive || old.ExpiresAt == nil {
		t.Errorf("the old one is %+v", old)
	}
	revoked := read[client.APIKey](t, g.as(t, "owner", "DELETE", one, ""))
	if revoked.State != client.APIKeyRevoked || revoked.RevokedBy != "key:owner" {
		t.Errorf("revoked %+v", revoked)
	}
	live := read[client.APIKeyList](t, g.as(t, "owner", "GET", "/v1/api-keys?state=live", ""))
	if len(live.Items) != 1 || live.Items[0].ID != next.APIKey.ID {
		t.Errorf("live %+v", live.Items)
	}
	g.as(t, "owner", "POST", one+"/rotate", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.as(t, "owner", "POST", "/v1/api-keys", `{"networks":["10.0.0.0/33"]}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}

func TestRoles(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(false))
	made := read[client.Role](t, g.as(t, "owner", "POST", "/v1/roles", `{"name":"support","permissions":["read","read_payload"]}`))
	if made.Tenant != "acme" || made.BuiltIn || len(made.Permissions) != 2 {
		t.Errorf("made %+v", made)
	}
	g.as(t, "owner", "POST", "/v1/roles", `{"name":"support","permissions":["read"]}`).Want(t, http.StatusConflict, door.CodeTaken)
	tooMuch := g.as(t, "owner", "POST", "/v1/roles", `{"name":"root","permissions":["platform"]}`)
	tooMuch.Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	list := read[client.RoleList](t, g.as(t, "viewer", "GET", "/v1/roles", ""))
	if len(list.Items) != len(access.BuiltinRoles())+1 || !list.Items[0].BuiltIn || list.Items[0].Name != access.RoleOwner {
		t.Errorf("roles %+v", list.Items)
	}
	for _, p := range list.Items[0].Permissions {
		if p == client.PermissionPlatform {
			t.Error("the owner of a tenant has platform")
		}
	}
	g.as(t, "owner", "POST", "/v1/api-keys", `{"role":"support"}`).Want(t, http.StatusCreated, "")
	g.as(t, "owner", "DELETE", "/v1/roles/viewer", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.as(t, "owner", "DELETE", "/v1/roles/support", "").Want(t, http.StatusNoContent, "")
	g.as(t, "owner", "DELETE", "/v1/roles/support", "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

func TestApps(t *testing.T) {
	t.Parallel()
	g := setup(t, entrance(false))
	made := g.as(t, "root", "POST", "/v1/apps?tenant=acme", `{"name":"new","settings":{"weight":2}}`).Want(t, http.StatusCreated, "")
	if got := made.Header().Get("Location"); got != "/v1/apps/new?tenant=acme" {
		t.Errorf("Location %q", got)
	}
	g.as(t, "owner", "POST", "/v1/apps", `{"name":"new"}`).Want(t, http.StatusConflict, door.CodeTaken)
	names := func(who string) string {
		var all []string
		for _, a := range read[client.AppList](t, g.as(t, who, "GET", "/v1/apps", "")).Items {
			all = append(all, a.Name)
		}
		return strings.Join(all, " ")
	}
	if got := names("owner"); got != "default bank new shop" {
		t.Errorf("apps %s", got)
	}
	if got := names("shop"); got != "shop" {
		t.Errorf("apps %s, of a key that is limited to shop", got)
	}
	// What an app has, its tenant may keep: the same entitlement is no change.
	g.as(t, "owner", "PATCH", "/v1/apps/new", `{"about":"New","settings":{"weight":2}}`).Want(t, http.StatusOK, "")
	g.as(t, "owner", "DELETE", "/v1/apps/new", "").Want(t, http.StatusNoContent, "")
	g.as(t, "owner", "GET", "/v1/apps/new", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.as(t, "owner", "DELETE", "/v1/apps/default", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}
