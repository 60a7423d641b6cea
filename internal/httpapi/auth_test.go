package httpapi

import (
	"net/http"
	"testing"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(map[string]string{"k-shop": "shop", "k-bank": "bank", "": "nobody"})
	for name, c := range map[string]struct {
		header string
		tenant string // "" for refused
		asks   string // WWW-Authenticate
	}{
		"none":           {"", "", `Bearer realm="belfry"`},
		"one":            {"Bearer k-shop", "shop", ""},
		"another":        {"bearer  k-bank", "bank", ""},
		"unknown":        {"Bearer k-shop2", "", `Bearer realm="belfry", error="invalid_token"`},
		"prefix":         {"Bearer k-sho", "", `Bearer realm="belfry", error="invalid_token"`},
		"empty":          {"Bearer ", "", `Bearer realm="belfry"`},
		"another scheme": {"Basic azpr", "", `Bearer realm="belfry"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, func(cfg *Config) { cfg.Auth = keys })
			got := g.Do(t, "POST", "/v1/notifications", send, "Authorization", c.header)
			if c.tenant == "" {
				got.Want(t, http.StatusUnauthorized, door.CodeUnauthenticated)
			}
			if g.intake.last.Tenant != c.tenant || got.Header().Get("WWW-Authenticate") != c.asks {
				t.Errorf("tenant %q, want %q; WWW-Authenticate %q, want %q", g.intake.last.Tenant, c.tenant, got.Header().Get("WWW-Authenticate"),
					c.asks)
			}
		})
	}
}

// Without a key every route of the API is closed, and no other.
func TestClosedRoutes(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *Config) { cfg.Auth = access.NewKeys(map[string]string{"k": "t"}) })
	for _, rt := range g.Routes() {
		if got := g.Do(t, rt.Method, samplePath(rt), ""); (got.Code == http.StatusUnauthorized) == rt.Open {
			t.Errorf("%s: answers %d without a key", rt.Pattern(), got.Code)
		}
	}
}
