package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/status"
)

// fakeStatus says what it was asked for.
type fakeStatus struct{ asked []string }

// Look implements [overview.Statuses].
func (f *fakeStatus) Look(_ context.Context, tenant string) status.Status {
	f.asked = append(f.asked, tenant)
	since := testNow().Add(-time.Minute)
	s := status.Status{
		At: testNow(), Health: status.Failing, Headline: "Nothing is sent.",
		Pauses:   []status.Pause{{ID: "pse_1", What: "tenant acme", Scope: "tenant", Since: since}},
		Problems: []status.Problem{{Health: status.Failing, What: "Nothing is sent", Since: since}, {Health: status.Degraded, What: "x"}},
		Letters:  status.Letters{Parked: 3, Causes: []status.Cause{{Code: "fcm.unavailable", Letters: 3}}, Others: 1},
		Running:  []status.Running{{ID: "ntf_1", Open: 7, Counted: true}},
		Missing:  []status.Missing{{Part: "queues", Reason: "away", Age: time.Minute}},
	}
	if tenant == "" {
		p := status.Process{ID: "a", State: "ok", Rates: status.Rates{Ended: 5}}
		s.Processes = []status.Seen{{Process: p, Age: time.Minute, Silent: true}}
		s.Queues = []status.Queue{{Name: "events", OldestAge: 90 * time.Second}}
		s.Credentials = []status.CredentialSum{{Credential: status.Credential{Label: "p", Breaker: "open", Since: since}, Processes: 2}}
		s.Store.Disk = &status.Disk{Free: 1, Total: 2}
	}
	return s
}

// The operator's key sees everything, a tenant's its own; what there is none of is an empty list, never null.
func TestStatus(t *testing.T) {
	t.Parallel()
	g := setup(t)
	r := g.Do(t, http.MethodGet, "/v1/status", "").Want(t, http.StatusOK, "")
	var s client.Status
	if err := json.Unmarshal(r.Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	switch {
	case s.Health != client.HealthFailing, s.Problems[0].Since == nil, s.Problems[1].Since != nil, s.Queues[0].OldestAge != 90:
		t.Errorf("%+v", s)
	case s.Processes[0].State != "silent" || s.Processes[0].Rates.Ended != 0, s.Credentials[0].Until != nil, s.Store.DiskTotal != 2:
		t.Errorf("%+v", s)
	}
	g = setup(t, func(c *Config) { c.Auth = tenantOnly{} })
	r = g.Do(t, http.MethodGet, "/v1/status", "").Want(t, http.StatusOK, "")
	if text := r.Body.String(); g.status.asked[0] != "acme" || strings.Contains(text, "null") || strings.Contains(text, `"store"`) {
		t.Errorf("asked for %q: %s", g.status.asked, text)
	}
}

// tenantOnly takes every caller for one of acme who may read.
type tenantOnly struct{}

// Authenticate implements [door.Authenticator].
func (tenantOnly) Authenticate(context.Context, access.Presented) (access.Caller, error) {
	who := access.Everybody()
	who.Tenant, who.May = "acme", access.SetOf(access.PermRead)
	return who, nil
}

// itself is a process.
type itself struct{}

// Self implements [overview.Self].
func (itself) Self(context.Context) status.Process {
	return status.Process{
		ID: "a", Kind: status.KindDispatcher, State: "ok", Started: testNow(), At: testNow(),
		Workers:     []status.Worker{{Queue: "deliveries-bulk", Lane: "bulk", InHand: 3, Places: 26, Window: 50}},
		Credentials: []status.Credential{{Label: "shop", Breaker: "half_open", Pace: 10}},
		Pauses:      []status.Pause{{ID: "pse_1", What: "tenant acme", Tenant: "acme", By: "ops", Reason: "leak", Since: testNow()}},
	}
}

// A dispatcher tells on its probe listener what it has in hand.
func TestStatusOfOneProcess(t *testing.T) {
	t.Parallel()
	g := setup(t)
	w := httptest.NewRecorder()
	NewProbes(g.health, itself{}, g.cfg.Pages, g.cfg.Registry, zap.NewNop()).ServeHTTP(w,
		httptest.NewRequest(http.MethodGet, "/statusz", nil))
	var p client.ProcessStatus
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK {
		t.Fatal(err, w.Code, w.Body)
	}
	if p.Workers[0].InHand != 3 || p.Credentials[0].Breaker != "half_open" || p.State != "ok" {
		t.Errorf("%+v", p)
	}
	if len(p.Pauses) != 1 || p.Pauses[0].By != "ops" || p.Pauses[0].Reason != "leak" || !p.Pauses[0].Since.Equal(testNow()) {
		t.Errorf("%+v", p.Pauses)
	}
}
