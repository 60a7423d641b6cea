package quota

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Standing is how a quota stands.
type Standing struct {
	Quota  push.Quota
	Tenant string
	App    string // "": the tenant's
	Key    string // the caller's name; "" of any other quota
	Policy string // in RateLimit-Policy
	Limit  int64
	Left   int64
	Window time.Duration // 0: it has none
	Unit   string        // what it counts
	Full   time.Duration // when all of it is there again if nobody takes any; 0 if that is not known
}

// Standings returns how the quotas stand of a tenant, of an app of it ("": the default one) if that has its own, and of a
// caller ("": none), in all processes together; and whether what is over one is deferred. The error is push.ErrNotFound, the
// store's, or that ctx ended.
func (q *Quotas) Standings(ctx context.Context, tenant, app, key string) (all []Standing, defers bool, err error) {
	g, err := q.gate(ctx, who{tenant, app, key})
	if err != nil {
		return nil, false, err
	}
	for p := range g.all() {
		a, err := p.bucket.Ascertain(ctx)
		if err != nil {
			return nil, false, err
		}
		s := Standing{
			Quota: p.quota, Tenant: p.tenant, App: p.app, Policy: p.label, Limit: p.limit, Left: max(0, min(a.Remaining, p.limit)),
			Window: p.window, Unit: p.unit(),
		}
		if p.quota == push.QuotaKeyRequests {
			s.Key = key
		}
		s.Full = p.full(s.Left, q.cfg.Now())
		all = append(all, s)
	}
	return all, g.defers, nil
}
