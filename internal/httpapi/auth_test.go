package httpapi

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	keys := NewKeys(map[string]string{"k-shop": "shop", "k-bank": "bank", "": "nobody"})
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
			got := g.do(t, "POST", "/v1/notifications", send, "Authorization", c.header)
			if c.tenant == "" {
				got.want(t, http.StatusUnauthorized, codeUnauthenticated)
			}
			if g.intake.last.Tenant != c.tenant || got.Header().Get("WWW-Authenticate") != c.asks {
				t.Errorf("tenant %q, want %q; WWW-Authenticate %q, want %q", g.intake.last.Tenant, c.tenant, got.Header().Get("WWW-Authenticate"), c.asks)
			}
		})
	}
}

// Without a key every route of the API is closed, and no other.
func TestClosedRoutes(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *Config) { cfg.Auth = NewKeys(map[string]string{"k": "t"}) })
	for _, rt := range g.routes {
		if got := g.do(t, rt.method, samplePath(rt), ""); (got.Code == http.StatusUnauthorized) == rt.open {
			t.Errorf("%s: answers %d without a key", rt.pattern(), got.Code)
		}
	}
}

func TestNoKeys(t *testing.T) {
	t.Parallel()
	for _, k := range []Keys{{}, NewKeys(nil), NewKeys(map[string]string{"": "x"})} {
		if tenant, err := k.Authenticate(t.Context(), "anything"); !k.Open() || tenant != DefaultTenant || err != nil {
			t.Errorf("tenant %q, error %v", tenant, err)
		}
	}
}

type brokenAuth struct{}

func (brokenAuth) Authenticate(context.Context, string) (string, error) {
	return "", errors.New("key store is away")
}

func TestBrokenAuthenticator(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *Config) { cfg.Auth = brokenAuth{} })
	g.do(t, "GET", "/v1/devices", "").want(t, http.StatusInternalServerError, codeInternal)
}
