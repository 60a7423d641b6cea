package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// fetch is how a browser names a request that a page of another origin makes
// without asking for leave.
func fetch() []string {
	return []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty", "Origin", "https://evil.example"}
}

// A page of another origin gets nothing from any route, and changes nothing,
// with or without a key: not even which paths there are.
func TestNoRouteForPages(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]access.Keys{"without a key": {}, "with a key": access.NewKeys(map[string]string{"k": "t"})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, func(cfg *Config) {
				cfg.Auth = auth
				cfg.Pages = doortest.Pages(t, sameorigin.Config{Listen: "127.0.0.1:8080", Allowed: []string{doortest.Host}, AnyHost: !auth.Open()})
			})
			for _, rt := range append(g.Routes(), &door.Route{Method: http.MethodPost, Path: "/no/such/path"},
				&door.Route{Method: http.MethodOptions, Path: "/v1/devices"}) {
				got := g.Do(t, rt.Method, samplePath(rt), "", append(fetch(), "Authorization", "Bearer k")...)
				got.Want(t, http.StatusForbidden, door.CodeOrigin)
				got = g.Do(t, rt.Method, samplePath(rt), "", "Origin", "null", "Authorization", "Bearer k")
				if safe := rt.Method == http.MethodGet || rt.Method == http.MethodOptions; !safe && got.Code != http.StatusForbidden {
					t.Errorf("%s: answers %d to no origin", rt.Pattern(), got.Code)
				}
				for h := range got.Header() {
					if strings.HasPrefix(h, "Access-Control-") {
						t.Errorf("%s: gives leave with %s", rt.Pattern(), h)
					}
				}
			}
			if len(g.devices.AllDevices()) != 0 || g.intake.last.Body != nil {
				t.Error("a page changed something")
			}
		})
	}
}

// Without a key every route looks at the name it is called by; with one, which a
// page does not have, none does.
func TestNoRouteForForeignHosts(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]access.Keys{"without a key": {}, "with a key": access.NewKeys(map[string]string{"k": "t"})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, func(cfg *Config) {
				cfg.Auth = auth
				cfg.Pages = doortest.Pages(t, sameorigin.Config{Listen: "127.0.0.1:8080", AnyHost: !auth.Open()})
			})
			for _, rt := range append(g.Routes(), &door.Route{Method: http.MethodPost, Path: "/no/such/path"}) {
				r := httptest.NewRequest(rt.Method, samplePath(rt), nil)
				r.Host = "rebound.evil.example:8080"
				got := httptest.NewRecorder()
				g.ServeHTTP(got, r)
				if misdirected := got.Code == http.StatusMisdirectedRequest; misdirected != auth.Open() {
					t.Errorf("%s: answers %d", rt.Pattern(), got.Code)
				}
				if strings.Contains(got.Body.String(), "evil") {
					t.Errorf("%s: repeats the name: %s", rt.Pattern(), got.Body)
				}
			}
		})
	}
}

func TestProbesAreNotForPages(t *testing.T) {
	t.Parallel()
	g := setup(t)
	h := NewProbes(g.health, itself{}, doortest.Pages(t, sameorigin.Config{Listen: "127.0.0.1:9090"}), g.cfg.Registry, zap.NewNop())
	for _, target := range []string{"/healthz", "/readyz", "/metrics"} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Host = "evil.example"
		got := httptest.NewRecorder()
		h.ServeHTTP(got, r)
		if got.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s: answers %d to another host", target, got.Code)
		}
		r.Host, r.Header = "127.0.0.1:9090", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}}
		got = httptest.NewRecorder()
		h.ServeHTTP(got, r)
		if got.Code != http.StatusForbidden || got.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: answers %d to a page, with %v", target, got.Code, got.Header())
		}
	}
}

// What a page may send without asking for leave is no body for any route: none
// without a type, no text and no form. Whoever sends nothing needs no type.
func TestBodiesHaveATypeOfTheirOwn(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for _, rt := range g.Routes() {
		if rt.Method == http.MethodGet {
			continue
		}
		for _, kind := range []string{
			doortest.NoType, "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
			"text/plain; application/json", "application/json, text/plain", "json", ";", "*/*",
		} {
			got := g.Do(t, rt.Method, samplePath(rt), "{}", "Content-Type", kind)
			if got.Code != http.StatusUnsupportedMediaType || len(rt.Takes) > 0 && !strings.Contains(got.Problem.Detail, rt.Takes[0]) {
				t.Errorf("%s: a body of the type %q is answered %d: %s", rt.Pattern(), kind, got.Code, got.Body)
			}
		}
		if got := g.Do(t, rt.Method, samplePath(rt), "", "Content-Type", doortest.NoType); got.Code == http.StatusUnsupportedMediaType {
			t.Errorf("%s: nothing without a type is answered %d", rt.Pattern(), got.Code)
		}
		if got := g.Do(t, rt.Method, samplePath(rt), "{}", "Content-Type", g.UsualType(rt.Pattern())+
			"; charset=utf-8"); got.Code == http.StatusUnsupportedMediaType {
			t.Errorf("%s: its own type is answered %d: %s", rt.Pattern(), got.Code, got.Body)
		}
	}
	twice := g.Do(t, "POST", "/v1/notifications", send, "Content-Type", door.TypeJSON, "Content-Type", "text/plain")
	twice.Want(t, http.StatusUnsupportedMediaType, door.CodeMediaType)
}
