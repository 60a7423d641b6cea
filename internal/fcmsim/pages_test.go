package fcmsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// A web page of another origin neither drives the simulator nor sends through
// it, in whatever version of HTTP, and is given no leave to.
func TestPagesAreRefused(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{ListenTLS: "127.0.0.1:0"})
	admin := strings.TrimSuffix(sim.AdminURL(), "/_sim")
	for name, c := range clients(t, sim) {
		base := strings.TrimSuffix(c.url, "/v1")
		before := sim.Stats()
		for _, page := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"},
			{"Origin", "https://evil.example"},
			{"Origin", "null"},
		} {
			for path, body := range map[string]string{
				"/_sim/reset": "", "/_sim/goaway": "", "/_sim/quota": `{"per_minute":1}`, "/_sim/outage": `{"status":0}`,
				"/v1" + sendPath: toToken("t"), "/token": "grant_type=x", "/nothing": "",
			} {
				a := post(t, c.client, base+path, body, page...)
				if a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s: %s with %v: %d %s", name, path, page, a.status, a.body)
				}
			}
		}
		if after := sim.Stats(); after.Requests != before.Requests {
			t.Errorf("%s: a page's sends count: %+v", name, after)
		}
		if a := get(t, c.client, base+"/_sim/stats"); a.status != http.StatusOK {
			t.Errorf("%s: a program gets %d", name, a.status)
		}
	}
	if a := post(t, http.DefaultClient, admin+"/_sim/reset", "", "Origin", admin); a.status != http.StatusNoContent {
		t.Errorf("a page of its own: %d %s", a.status, a.body)
	}
}

func TestForeignHostsAreRefused(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{AllowedHosts: []string{"sim.example"}})
	for host, status := range map[string]int{
		"evil.example": http.StatusForbidden, "evil.example:8090": http.StatusForbidden,
		"localhost": http.StatusOK, "127.0.0.1:1": http.StatusOK, "sim.example": http.StatusOK,
	} {
		if a := post(t, http.DefaultClient, sim.URL()+sendPath, toToken("t"), "Host", host); a.status != status {
			t.Errorf("Host %s: %d %s, want %d", host, a.status, a.body, status)
		}
	}
}

func TestBodiesAreJSON(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{ListenTLS: "127.0.0.1:0"})
	for name, c := range clients(t, sim) {
		base := strings.TrimSuffix(c.url, "/v1")
		for kind, welcome := range map[string]bool{
			"application/json": true, "application/json; charset=UTF-8": true, "Application/JSON": true,
			"": false, "text/plain": false, "application/x-www-form-urlencoded": false, "application/jsonx": false,
		} {
			for path, body := range map[string]string{"/v1" + sendPath: toToken("t"), "/_sim/quota": `{"per_minute":0}`} {
				a := post(t, c.client, base+path, body, "Content-Type", kind)
				if (a.status/100 == 2) != welcome || !welcome && a.status != http.StatusUnsupportedMediaType {
					t.Errorf("%s: %s of type %q: %d %s", name, path, kind, a.status, a.body)
				}
			}
		}
		if a := post(t, c.client, base+"/_sim/reset", "", "Content-Type", ""); a.status != http.StatusNoContent {
			t.Errorf("%s: nothing needs no type: %d %s", name, a.status, a.body)
		}
	}
}
