package door_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
)

// quotas are those of a test.
type quotas struct {
	over *push.OverQuotaError
	who  string
	left string // what RateLimit says when the answer begins
}

// Admit implements [door.Quotas].
func (q *quotas) Admit(_ context.Context, c *access.Caller) (func() (string, string), error) {
	q.who = c.Name
	fields := func() (string, string) { return `"requests_per_second";q=5;w=1`, q.left }
	if q.over != nil {
		return fields, q.over
	}
	return fields, nil
}

// Every answer to a known caller says how the quotas stand when it begins; what is over one is refused with all that helps.
func TestQuotas(t *testing.T) {
	t.Parallel()
	q := &quotas{left: `"requests_per_second";r=4;t=1`}
	g := setup(t, func(cfg *door.Config) { cfg.Quotas = q })
	g.run = func(context.Context) error { q.left = `"requests_per_second";r=3;t=1`; return nil }
	got := g.Do(t, "GET", things, "")
	got.Want(t, http.StatusOK, "")
	if q.who != access.Anonymous || got.Header().Get("RateLimit-Policy") != `"requests_per_second";q=5;w=1` ||
		got.Header().Get("RateLimit") != `"requests_per_second";r=3;t=1` {
		t.Errorf("%s: %v", q.who, got.Header())
	}
	q.over = &push.OverQuotaError{
		Quota: push.QuotaRequests, Policy: "requests_per_second", Of: "tenant acme", Limit: 5, Wanted: 1, After: 200 * time.Millisecond,
	}
	q.left = `"requests_per_second";r=0;t=1`
	got = g.Do(t, "GET", things, "")
	got.Want(t, http.StatusTooManyRequests, door.CodeQuota)
	p := got.Problem
	if got.Header().Get("Retry-After") != "1" || got.Header().Get("RateLimit") != q.left || p.Quota != "requests_per_second" || p.Limit != 5 ||
		len(p.ViolatedPolicies) != 1 || p.Detail != "requests_per_second of tenant acme is 5: 1 wanted, 0 left; free again in 1s. "+
		"Ask less often, or have the quota raised" {
		t.Errorf("%v %s", got.Header(), got.Body)
	}
	q.over.Never, q.over.Wanted = true, 9
	if got = g.Do(t, "GET", things, ""); got.Header().Get("Retry-After") != "" {
		t.Errorf("it says when to come again, and it never fits: %s", got.Body)
	}
	if got := g.Do(t, "GET", "/nothing", ""); got.Code != http.StatusNotFound || got.Header().Get("RateLimit") != "" {
		t.Errorf("a path without a caller: %d %v", got.Code, got.Header())
	}
}
