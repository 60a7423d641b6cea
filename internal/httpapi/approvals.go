package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// Approvals are what second persons decide on, and what the door asks. Errors are
// push.ErrNotFound, [push.Faults], and a *push.StateError for one that is decided already.
type Approvals interface {
	door.Approvals
	Approval(ctx context.Context, tenant string, id push.ID) (access.Approval, error)
	Approvals(ctx context.Context, tenant string) ([]access.Approval, error)
	Decide(ctx context.Context, c *access.Caller, id push.ID, approve bool) (access.Approval, error)
}

var _ Approvals = (*access.Directory)(nil)

// approvals serve the approvals of dangerous requests.
type approvals struct{ room Approvals }

func (a *approvals) routes() []*door.Route {
	const group, all, one = describe.GroupApprovals, "/v1/approvals", "/v1/approvals/{id}"
	view := reflect.TypeFor[client.Approval]()
	decide := func(path, name, about string, approve bool) *door.Route {
		return &door.Route{
			Method: http.MethodPost, Path: one + path, Name: name, Needs: access.PermApprove, Group: group, About: about,
			Once: door.KeyByStore, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict},
			Run: door.Replying(door.Once(idempotency.Lease, a.decide(approve))),
		}
	}
	return []*door.Route{
		{
			Method: http.MethodGet, Path: all, Name: "listApprovals", Needs: access.PermRead, Group: group,
			About: "List what second persons have to decide on, and decided, the newest first.",
			Detail: "A dangerous request, such as a replay of many dead letters, is answered 403 with the code `approval_required` and the id of " +
				"an approval, where the tenant's settings ask for a second person. When somebody else has approved it, the same request with the " +
				"header `Belfry-Approval: apr_…` executes, once, within the hour.",
			Gives: []door.Given{
				{Status: http.StatusOK, About: "All of the tenant's.", Types: []string{door.TypeJSON}, Of: reflect.TypeFor[client.ApprovalList]()},
			},
			Run: door.Replying(a.list),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getApproval", Needs: access.PermRead, Group: group,
			About: "Show what a second person has to decide on.", Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(a.get),
		},
		decide("/approve", "approveRequest", "Approve what somebody else asked for.", true),
		decide("/refuse", "refuseRequest", "Refuse what was asked for.", false),
	}
}

func (a *approvals) list(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	items, err := a.room.Approvals(ctx, x.Tenant)
	if err != nil {
		return door.Reply{}, err
	}
	list := client.ApprovalList{Items: make([]client.Approval, len(items))}
	for i := range items {
		list.Items[i] = approvalView(&items[i], x.Now())
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (a *approvals) get(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixApproval)
	if err != nil {
		return door.Reply{}, err
	}
	return approval200(x)(a.room.Approval(ctx, x.Tenant, id))
}

func (a *approvals) decide(approve bool) door.Handler {
	return func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
		id, err := x.PathID(push.PrefixApproval)
		if err != nil {
			return door.Reply{}, err
		}
		return approval200(x)(a.room.Decide(ctx, &x.Who, id, approve))
	}
}

func approval200(x *door.Exchange) func(access.Approval, error) (door.Reply, error) {
	return func(a access.Approval, err error) (door.Reply, error) {
		if err != nil {
			return door.Reply{}, err
		}
		return door.Reply{Status: http.StatusOK, Body: approvalView(&a, x.Now())}, nil
	}
}

func approvalView(a *access.Approval, now time.Time) client.Approval {
	return client.Approval{
		ID: string(a.ID), State: client.ApprovalState(a.State(now)), Action: string(a.Action), About: a.About, AskedBy: a.AskedBy,
		AskedAt: a.AskedAt, ExpiresAt: a.ExpiresAt, DecidedBy: a.DecidedBy, DecidedAt: views.Time(a.DecidedAt), UsedAt: views.Time(a.UsedAt),
	}
}
