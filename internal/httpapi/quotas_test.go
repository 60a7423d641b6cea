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
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota"
)

// fakeQuotas lets everything through, and has one quota of a tenant.
type fakeQuotas struct{ asked []string }

func (*fakeQuotas) Admit(context.Context, *access.Caller) (func() (string, string), error) {
	return nil, nil
}

// Standings implements [Quotas].
func (f *fakeQuotas) Standings(_ context.Context, tenant, app, key string) ([]quota.Standing, bool, error) {
	f.asked = append(f.asked, strings.Join([]string{tenant, app, key}, " "))
	if tenant == "nobody" {
		return nil, false, push.ErrNotFound
	}
	return []quota.Standing{
		{Quota: push.QuotaRequests, Tenant: tenant, Limit: 5, Left: 4, Window: time.Second, Unit: "requests", Full: 200 * time.Millisecond},
		{Quota: push.QuotaQueued, Tenant: tenant, Limit: 10, Left: 3, Unit: "recipients"},
	}, true, nil
}

func TestListQuotas(t *testing.T) {
	t.Parallel()
	f := &fakeQuotas{}
	who := access.Caller{Tenant: "acme", Name: "key:a", May: access.SetOf(access.PermRead)}
	g := setup(t, func(c *Config) { c.Quotas, c.Auth = f, as{who} })
	got := g.Do(t, "GET", "/v1/quotas?app=shop", "")
	got.Want(t, http.StatusOK, "")
	var l client.QuotaList
	if err := json.Unmarshal(got.Body.Bytes(), &l); err != nil || len(l.Items) != 2 || f.asked[0] != "acme shop key:a" {
		t.Fatalf("%v %v %s", err, f.asked, got.Body)
	}
	if q := l.Items[0]; q.Used != 1 || q.Left != 4 || q.Window != 1 || q.Over != "refuse" ||
		!q.WholeAt.Equal(testNow().Add(200*time.Millisecond)) {
		t.Errorf("%+v", q)
	}
	if q := l.Items[1]; q.Used != 7 || q.WholeAt != nil || q.Over != "defer" {
		t.Errorf("%+v", q)
	}
	g.Do(t, "GET", "/v1/quotas?tenant=bank", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	who.App = "shop"
	g = setup(t, func(c *Config) { c.Quotas, c.Auth = f, as{who} })
	g.Do(t, "GET", "/v1/quotas?app=web", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	who.App, who.May = "", access.AllPermissions()
	g = setup(t, func(c *Config) { c.Quotas, c.Auth = f, as{who} })
	g.Do(t, "GET", "/v1/quotas?tenant=bank", "").Want(t, http.StatusOK, "")
	if last := f.asked[len(f.asked)-1]; last != "bank  " {
		t.Errorf("asked for %q", last)
	}
	g.Do(t, "GET", "/v1/quotas?tenant=nobody", "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

// An upload that comes to the end of a quota says what is durable, which quota it is, and when to go on.
func TestUploadOverQuota(t *testing.T) {
	t.Parallel()
	g := setup(t)
	over := &push.OverQuotaError{
		Quota: push.QuotaRecipients, Policy: "recipients_per_day", Of: "tenant acme", Limit: 5000, Wanted: 2800, Left: 2200,
		After: time.Hour,
	}
	g.batches.upload = failWith(over)
	got := g.Do(t, "POST", recipients, "{}")
	got.Want(t, http.StatusTooManyRequests, door.CodeQuota)
	if p := got.Problem; p.Quota != client.QuotaRecipients || got.Header().Get("Retry-After") != "3600" ||
		!strings.Contains(p.Detail, "continue with offset=") || !strings.Contains(p.Detail, "free again in 1h0m0s") {
		t.Errorf("%s", got.Body)
	}
}
