package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/status"
)

// oneBreaker is the breaker of the credential shop-prod.
type oneBreaker struct{ asked []override.Override }

func (b *oneBreaker) List(context.Context) ([]status.CredentialSum, error) {
	c := status.CredentialSum{Processes: 2}
	c.Label, c.Breaker = "shop-prod", "closed"
	return []status.CredentialSum{c}, nil
}

func (b *oneBreaker) Set(ctx context.Context, asked override.Override) (status.CredentialSum, error) {
	if asked.Credential != "shop-prod" && asked.Credential != "acme/shop" {
		return status.CredentialSum{}, &override.UnknownError{Credential: asked.Credential, Known: []string{"shop-prod"}}
	}
	b.asked = append(b.asked, asked)
	all, err := b.List(ctx)
	return all[0], err
}

// The platform's operator alone sees and moves breakers; his name, his reason and the credential are in the audit log.
func TestBreakers(t *testing.T) {
	t.Parallel()
	room := &oneBreaker{}
	g := setup(t, func(cfg *Config) {
		cfg.Breakers = room
		cfg.Auth = callers{
			"ops":  {Tenant: access.DefaultName, Name: "ada", May: access.AllPermissions()},
			"acme": {Tenant: "acme", Name: "eve", May: access.AllPermissions() &^ access.SetOf(access.PermPlatform)},
		}
	})
	do := func(key, method, path, body string, status int, code door.Code, want string) {
		t.Helper()
		got := g.Do(t, method, "/v1/breakers"+path, body, "Authorization", "Bearer "+key)
		if code != "" {
			got.Want(t, status, code)
		}
		if got.Code != status || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", method, path, body, got.Code, got.Body, status, want)
		}
	}
	do("acme", "GET", "", "", http.StatusForbidden, door.CodeForbidden, "platform")
	do("acme", "POST", "/shop-prod/open", `{}`, http.StatusForbidden, door.CodeForbidden, "platform")
	do("ops", "GET", "", "", http.StatusOK, "", `"credential":"shop-prod"`)
	do("ops", "POST", "/shop-prod/open", `{"reason":"incident 42","for":"30m"}`, http.StatusOK, "", `"credential":"shop-prod"`)
	until := testNow().Add(time.Hour).UTC()
	body, _ := json.Marshal(client.BreakerRequest{Until: &until}) //nolint:errchkjson // it has no field that fails
	do("ops", "POST", "/acme%2Fshop/close", string(body), http.StatusOK, "", "")
	do("ops", "POST", "/shop-prod/reset", `{"reason":"over"}`, http.StatusOK, "", "")
	want := []override.Override{
		{Credential: "shop-prod", State: override.Open, By: "ada", Reason: "incident 42", Until: testNow().Add(30 * time.Minute)},
		{Credential: "acme/shop", State: override.Closed, By: "ada", Until: until},
		{Credential: "shop-prod", State: override.Automatic, By: "ada", Reason: "over"},
	}
	for i, o := range room.asked {
		if w := want[i]; o.Credential != w.Credential || o.State != w.State || o.By != w.By || o.Reason != w.Reason || !o.Until.Equal(w.Until) {
			t.Errorf("asked for %+v, want %+v", o, w)
		}
	}
	do("ops", "POST", "/shop-prd/open", `{}`, http.StatusNotFound, door.CodeNotFound, "known are shop-prod")
	do("ops", "POST", "/shop-prod/open", `{"for":"soon"}`, http.StatusUnprocessableEntity, door.CodeInvalid, "/for")
	both := `{"for":"1h","until":"2030-01-01T00:00:00Z"}`
	do("ops", "POST", "/shop-prod/open", both, http.StatusUnprocessableEntity, door.CodeInvalid, "not both")
	do("ops", "POST", "/shop-prod/reset", `{"for":"1h"}`, http.StatusUnprocessableEntity, door.CodeInvalid, "no end")
	if len(room.asked) != 3 {
		t.Errorf("%d were asked for", len(room.asked))
	}
}
