package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/usage"
)

// fakeUsage has two pages of usage of every tenant, and remembers the last question.
type fakeUsage struct{ asked usage.Query }

func (f *fakeUsage) Rows(_ context.Context, q usage.Query, cursor string, _ int) (usage.Page, error) {
	f.asked = q
	var s usage.Sums
	s.Requests, s.Recipients, s.Nanodollars = 1, 7, 10_900
	s.ByClass[push.ClassSent], s.ByClass[push.ClassOpen] = 5, 2
	switch cursor {
	case "":
		return usage.Page{Rows: []usage.Row{{Tenant: "acme", App: "shop", Day: "2026-11-01", Sums: s, Final: true}}, Next: "acme/2026-11-02"}, nil
	case "acme/2026-11-02":
		return usage.Page{Rows: []usage.Row{{Tenant: "acme", Day: "2026-11-02", Sums: s}}, At: testNow(), Complete: true}, nil
	}
	return usage.Page{}, push.ErrCursor
}

func (*fakeUsage) Known(_ context.Context, tenant string) (bool, error) { return tenant == "zoo", nil }

// as has requests come from a caller.
type as struct{ access.Caller }

func (a as) Authenticate(context.Context, access.Presented) (access.Caller, error) {
	return a.Caller, nil
}

func TestUsage(t *testing.T) {
	t.Parallel()
	g := setup(t)
	var list client.UsageList
	answer := g.Do(t, "GET", "/v1/usage?group=day&since=2026-11-01&until=2026-11-03", "").Want(t, http.StatusOK, "")
	doortest.Decode(t, answer.Body.Bytes(), &list)
	want := client.UsageList{NextCursor: "acme/2026-11-02", AsOf: list.AsOf, Items: []client.Usage{{
		Tenant: "acme", App: "shop", Day: "2026-11-01", Requests: 1, Recipients: 7, Open: 2, Sent: 5, BillableUnits: 5, CostUSD: 0.0000109,
		Final: true,
	}}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(usage.Query{Since: "2026-11-01", Until: "2026-11-03", Group: usage.ByDay}, g.usage.asked); diff != "" {
		t.Error(diff)
	}
	g.Do(t, "GET", "/v1/usage?cursor=nonsense", "").Want(t, http.StatusBadRequest, "cursor_invalid")
	for _, bad := range []string{
		"since=yesterday", "until=2026-13-01", "since=2026-11-03&until=2026-11-03", "since=2020-01-01", "group=week",
	} {
		g.Do(t, "GET", "/v1/usage?"+bad, "").Want(t, http.StatusUnprocessableEntity, "invalid")
	}
}

func TestUsageStreams(t *testing.T) {
	t.Parallel()
	g := setup(t)
	csv := g.Do(t, "GET", "/v1/usage", "", "Accept", "text/csv").Want(t, http.StatusOK, "").Body.String()
	wantCSV := "tenant,app,day,requests,recipients,open,sent,permanent,ambiguous,suppressed,expired,cancelled,dead_lettered,invalid," +
		"possible_duplicates,billable_units,cost_usd,final\n" +
		"acme,shop,2026-11-01,1,7,2,5,0,0,0,0,0,0,0,0,5,0.000010900,true\nacme,,2026-11-02,1,7,2,5,0,0,0,0,0,0,0,0,5,0.000010900,false\n"
	if csv != wantCSV {
		t.Errorf("CSV\n%s", csv)
	}
	rows := g.Do(t, "GET", "/v1/usage", "", "Accept", "application/x-ndjson").Want(t, http.StatusOK, "").Body.String()
	if n := strings.Count(rows, "\n"); n != 2 || !strings.Contains(rows, `"billable_units":5`) {
		t.Errorf("NDJSON\n%s", rows)
	}
}

// TestUsageOfOthers: a tenant sees its own; another's is not there, whether it exists or not.
func TestUsageOfOthers(t *testing.T) {
	t.Parallel()
	caller := func(tenant, app string, p ...access.Permission) func(*Config) {
		return func(c *Config) {
			c.Auth = as{access.Caller{Tenant: tenant, App: app, Name: "key:1", May: access.SetOf(p...)}}
		}
	}
	operator := func(app string) func(*Config) { return caller("default", app, access.PermRead, access.PermPlatform) }
	for name, tt := range map[string]struct {
		who   func(*Config)
		query string
		want  usage.Query // tenant and app
		code  door.Code
	}{
		"own":                   {caller("acme", "", access.PermRead), "", usage.Query{Tenant: "acme"}, ""},
		"own by name":           {caller("acme", "", access.PermRead), "?tenant=acme", usage.Query{Tenant: "acme"}, ""},
		"another's":             {caller("acme", "", access.PermRead), "?tenant=zoo", usage.Query{}, "not_found"},
		"nobody's":              {caller("acme", "", access.PermRead), "?tenant=nobody", usage.Query{}, "not_found"},
		"no permission":         {caller("acme", "", access.PermSend), "", usage.Query{}, "forbidden"},
		"of a key of one app":   {caller("acme", "shop", access.PermRead), "", usage.Query{Tenant: "acme", App: "shop"}, ""},
		"of another app":        {caller("acme", "shop", access.PermRead), "?app=other", usage.Query{}, "not_found"},
		"platform":              {operator(""), "", usage.Query{}, ""},
		"platform of one":       {operator(""), "?tenant=zoo&app=a", usage.Query{Tenant: "zoo", App: "a"}, ""},
		"platform of no one":    {operator(""), "?tenant=nobody", usage.Query{}, "not_found"},
		"platform, for one app": {operator("shop"), "?tenant=zoo", usage.Query{}, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, tt.who)
			status := map[door.Code]int{"": http.StatusOK, "not_found": http.StatusNotFound, "forbidden": http.StatusForbidden}[tt.code]
			g.Do(t, "GET", "/v1/usage"+tt.query, "").Want(t, status, tt.code)
			if got := (usage.Query{Tenant: g.usage.asked.Tenant, App: g.usage.asked.App}); got != tt.want {
				t.Errorf("asked for %+v, want %+v", got, tt.want)
			}
		})
	}
}
