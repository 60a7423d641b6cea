package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
)

// audits keeps what it is told of.
type audits struct {
	mu       sync.Mutex
	entries  []audit.Entry
	down     error // of Ready
	unstored error // of Record
}

var _ door.Auditor = (*audits)(nil)

// Ready implements [door.Auditor].
func (a *audits) Ready() error { return a.down }

// Record implements [door.Auditor].
func (a *audits) Record(_ context.Context, e audit.Entry) error {
	a.Offer(e)
	return a.unstored
}

// Offer implements [door.Auditor].
func (a *audits) Offer(e audit.Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
}

// unread are the routes with a key that read and are not in the audit log: they show no address and no
// message. Watching shows the state of what was read before, by ids; lists show titles.
func unread() map[string]bool {
	out := map[string]bool{}
	for _, name := range []string{
		"listNotifications", "watchNotification", "watchBatch", "groupDeadLetters", "getDeadLetterStats", "getSimulation", "listReplays",
		"getReplay", "listAuditTenants", "listTenants", "getTenant", "getPlatform", "listApps", "getApp", "getConfiguration", "listAPIKeys",
		"getAPIKey", "listRoles", "listUsage", "listPauses", "listBreakers", "listQuotas", "getStatus", "tailEvents",
		"getCredential", "getTenantCredential", "listCredentials",
	} {
		out[name] = true
	}
	return out
}

// Every route that changes something, and every one that shows addresses or messages, writes
// exactly one entry, whatever comes of the call. A route that is neither must be named in
// unread by whoever adds it.
func TestEveryCallIsAudited(t *testing.T) {
	t.Parallel()
	bodies := doors()
	for _, rt := range setup(t).Routes() {
		if rt.Name == "" {
			continue // pages for people
		}
		t.Run(rt.Name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			kind := rt.AuditKind()
			switch {
			case strings.HasPrefix(rt.Path, "/console/"):
				return // it changes the browser's cookie only: what is done with that is in the log
			case kind == "" && rt.Method != http.MethodGet:
				t.Fatal("it may change something, and is not in the audit log")
			case kind == "" && !rt.Open && !unread()[rt.Name]:
				t.Fatal("decide: door.AuditRead if it shows addresses or messages, otherwise a place in unread")
			case kind == "" && rt.Events:
				return // its stream ends with its notification
			}
			target := strings.NewReplacer("{id}", batID, "{device_id}", "phone", "{recipient}", "token:secret").Replace(rt.Path)
			body := bodies[rt.Method+" "+strings.Replace(target, batID, "{id}", 1)]
			if body == "" && len(rt.Takes) > 0 {
				body = "{}"
			}
			if rt.Method == http.MethodGet {
				body = ""
			}
			got := g.Do(t, rt.Method, target, body, "X-Request-Id", "r-1")
			if kind == "" {
				if len(g.audit.entries) != 0 {
					t.Fatalf("%+v", g.audit.entries)
				}
				return
			}
			if len(g.audit.entries) != 1 {
				t.Fatalf("%d entries of a call that was answered %d: %+v", len(g.audit.entries), got.Code, g.audit.entries)
			}
			e := g.audit.entries[0]
			if e.Action != rt.Name || e.Kind != kind || e.Status != got.Code || e.Call != "r-1" || e.Tenant != access.DefaultName ||
				e.Who.Name != access.Anonymous || e.Code != got.Problem.Code || e.From != "192.0.2.1" {
				t.Errorf("answered %d %s: %+v", got.Code, got.Problem.Code, e)
			}
			raw, err := e.Canonical()
			if err != nil || strings.Contains(string(raw), "secret") {
				t.Errorf("%v: %s", err, raw)
			}
		})
	}
}

// What was created is named, and of the body there is a digest alone.
func TestAuditEntryOfANotification(t *testing.T) {
	t.Parallel()
	g := setup(t)
	body := doors()["POST /v1/notifications"]
	got := g.Do(t, "POST", "/v1/notifications", body).Want(t, http.StatusAccepted, "")
	e := g.audit.entries[0]
	if e.Target.Kind != "notifications" || !strings.HasSuffix(got.Header().Get("Location"), "/"+e.Target.ID) ||
		e.Body != audit.Digest([]byte(body)) {
		t.Errorf("%+v", e)
	}
}

// While the log cannot be written nothing is changed; what cannot be recorded is not
// acknowledged, and shows nothing.
func TestWithoutAuditLogNothingIsDone(t *testing.T) {
	t.Parallel()
	away := push.WithOutage(push.OutageDown, errors.New("disk is gone"))
	t.Run("known before", func(t *testing.T) {
		t.Parallel()
		g := setup(t)
		g.audit.down = away
		g.Do(t, "POST", "/v1/notifications", doors()["POST /v1/notifications"]).Want(t, http.StatusServiceUnavailable, door.CodeUnavailable)
		if len(g.intake.seen) != 0 {
			t.Error("it was accepted")
		}
		g.Do(t, "GET", "/v1/dead-letters/stats", "").Want(t, http.StatusOK, "")
	})
	t.Run("found out afterwards", func(t *testing.T) {
		t.Parallel()
		g := setup(t)
		g.audit.unstored = away
		got := g.Do(t, "POST", "/v1/notifications", doors()["POST /v1/notifications"])
		got.Want(t, http.StatusServiceUnavailable, door.CodeUnavailable)
		if got.Header().Get("Retry-After") == "" || got.Header().Get("Location") != "" || len(g.audit.entries) != 1 {
			t.Errorf("%v %+v", got.Header(), g.audit.entries)
		}
		for _, path := range []string{"/v1/dead-letters/export", "/v1/notifications/" + ntfID + "/deliveries"} {
			got := g.Do(t, "GET", path, "", "Accept", door.TypeNDJSON)
			got.Want(t, http.StatusServiceUnavailable, door.CodeUnavailable)
		}
		g.Do(t, "GET", "/v1/audit/export", "").Want(t, http.StatusOK, "")
	})
}
