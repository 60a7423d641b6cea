package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota"
)

// Quotas are what callers are held to, and say how they stand.
type Quotas interface {
	door.Quotas
	// Standings returns how the quotas stand of a tenant, an app ("": the default one) and a caller ("": none), and whether
	// what is over one is deferred. The error may be push.ErrNotFound.
	Standings(ctx context.Context, tenant, app, key string) (all []quota.Standing, defers bool, err error)
}

var _ Quotas = (*quota.Quotas)(nil)

// limits serve how quotas stand.
type limits struct{ room Quotas }

func (l *limits) routes() []*door.Route {
	const longest = 40 // bytes of a name
	return []*door.Route{
		{
			Method: http.MethodGet, Path: "/v1/quotas", Name: "listQuotas", Needs: access.PermRead, Group: groupPauses,
			About: "List the quotas of the caller's key, app and tenant, and how they stand in all processes together.",
			Detail: "A quota that is not set is not listed. What is over one is refused with 429, or deferred if the tenant has chosen so " +
				"(`over`); requests a second are always refused. Another tenant's need the permission `platform`.",
			Params: []door.Param{
				{Name: "tenant", About: "Whose. Absent: the caller's own.", Kind: door.ParamText, High: longest},
				{
					Name: "app", About: "The app whose own quotas are meant, too. Absent: the one that the key is limited to, else default.",
					Kind: door.ParamText, High: longest,
				},
			},
			Codes: []door.Code{door.CodeNotFound},
			Gives: door.OK(reflect.TypeFor[client.QuotaList]()), Run: door.Replying(l.list),
		},
	}
}

func (l *limits) list(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, key := cmp.Or(x.Query.Text("tenant"), x.Tenant), ""
	app := cmp.Or(x.Query.Text("app"), x.Who.App)
	if tenant == x.Tenant {
		key = x.Who.Name
	} else if !x.Who.Can(access.PermPlatform) {
		return door.Reply{}, push.ErrNotFound
	}
	if x.Who.App != "" && app != x.Who.App {
		return door.Reply{}, push.ErrNotFound
	}
	all, defers, err := l.room.Standings(ctx, tenant, app, key)
	if err != nil {
		return door.Reply{}, err
	}
	out := client.QuotaList{Items: []client.Quota{}}
	for i := range all {
		out.Items = append(out.Items, quotaView(&all[i], defers, x.Now()))
	}
	return door.Reply{Status: http.StatusOK, Body: out}, nil
}

func quotaView(s *quota.Standing, defers bool, now time.Time) client.Quota {
	v := client.Quota{
		Quota: client.QuotaName(s.Quota), Tenant: s.Tenant, App: s.App, Key: s.Key, Policy: s.Policy, Limit: s.Limit, Used: s.Limit - s.Left,
		Left: s.Left, Unit: s.Unit, Window: int64(s.Window / time.Second), Over: string(access.OverRefuse),
	}
	if s.Full > 0 {
		v.WholeAt = new(now.Add(s.Full).UTC().Round(time.Millisecond))
	}
	if defers && s.Quota != push.QuotaRequests && s.Quota != push.QuotaKeyRequests {
		v.Over = string(access.OverDefer)
	}
	return v
}
