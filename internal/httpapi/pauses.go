package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
)

// pauses serve the operators' pauses.
type pauses struct{ room Pauses }

func (p *pauses) routes() []*door.Route {
	const all = "/v1/pauses"
	one := reflect.TypeFor[client.Pause]()
	return []*door.Route{
		{
			Method: http.MethodPost, Path: all, Name: "addPause", Needs: access.PermManage, Group: groupPauses,
			About: "Pause sending for everything, a tenant or an app.",
			Detail: "Within a second no process starts another request to FCM for it, until the pause is lifted. What is accepted meanwhile, " +
				"and what was before, waits and says so (`waiting`); it loses no attempt, and what expires ends as `expired`. " +
				"Everything, and tenants other than the caller's own, need the permission `platform`; a pause that was made with it is not the " +
				"tenant's to lift. What is paused already stays as it is.",
			Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.PauseRequest](),
			Gives: []door.Given{
				{Status: http.StatusCreated, About: "Paused.", Types: []string{door.TypeJSON}, Of: one, Located: true},
				{Status: http.StatusOK, About: "It was paused already.", Types: []string{door.TypeJSON}, Of: one, Located: true},
			},
			Codes: []door.Code{door.CodeConflict}, Run: door.Replying(door.OnceRead(p.add)),
		},
		{
			Method: http.MethodGet, Path: all, Name: "listPauses", Needs: access.PermRead, Group: groupPauses,
			About: "List the pauses that stop the caller's tenant; with the permission platform, all.",
			Gives: door.OK(reflect.TypeFor[client.PauseList]()), Run: door.Replying(p.list),
		},
		{
			Method: http.MethodDelete, Path: all + "/{id}", Name: "liftPause", Needs: access.PermManage, Group: groupPauses,
			About: "Lift a pause: what waits goes on within a second.",
			Gives: []door.Given{{Status: http.StatusNoContent, About: "Lifted."}},
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(p.lift),
		},
	}
}

func (p *pauses) add(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req client.PauseRequest
	if err := request.DecodeJSON(x.Body, &req); err != nil {
		return door.Reply{}, err
	}
	asked, err := pauseAsked(x, &req)
	if err != nil {
		return door.Reply{}, err
	}
	x.Because(asked.Reason)
	stands, made, err := p.room.Add(ctx, asked)
	if err != nil {
		return door.Reply{}, err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return door.Reply{Status: status, Body: pauseView(&stands), Location: "/v1/pauses/" + string(stands.ID)}, nil
}

// pauseAsked returns the pause that a request asks for, if the caller may have it.
func pauseAsked(x *door.Exchange, req *client.PauseRequest) (pause.Pause, error) {
	asked := pause.Pause{Tenant: req.Tenant, App: req.App, Reason: req.Reason, By: x.Who.Name, Operator: x.Who.Can(access.PermPlatform)}
	var faults push.Faults
	needless := func(pointer, given, detail string) {
		if given != "" {
			faults = append(faults, push.Fault{Pointer: pointer, Code: push.FaultConflict, Detail: detail})
		}
	}
	if asked.Tenant == "" && req.Scope != client.PauseEverything {
		asked.Tenant = x.Tenant
	}
	switch req.Scope {
	case client.PauseEverything:
		needless("/tenant", req.Tenant, "everything is of all tenants")
		needless("/app", req.App, "everything is of all apps")
	case client.PauseTenant:
		needless("/app", req.App, "the scope is tenant: leave it out, or set scope to app")
	case client.PauseApp:
		if asked.App == "" {
			asked.App = access.DefaultName
		}
	default:
		faults = append(faults, push.Fault{Pointer: "/scope", Code: push.FaultValue, Detail: "must be one of everything, tenant, app" +
			strict.DidYouMean(string(req.Scope), []string{string(client.PauseEverything), string(client.PauseTenant), string(client.PauseApp)})})
	}
	switch {
	case len(faults) > 0:
		return asked, faults
	case !mayPause(x, &asked):
		return asked, door.Refuse(door.CodeForbidden,
			"this key may pause what is its own; everything and other tenants need the permission platform")
	}
	return asked, nil
}

// mayPause reports whether a pause is the caller's to make and to lift.
func mayPause(x *door.Exchange, p *pause.Pause) bool {
	if x.Who.Can(access.PermPlatform) {
		return true
	}
	return !p.Operator && p.Tenant == x.Tenant && (x.Who.App == "" || x.Who.App == p.App)
}

// seesPause reports whether a pause stops something of the caller's.
func seesPause(x *door.Exchange, p *pause.Pause) bool {
	if x.Who.Can(access.PermPlatform) || p.Tenant == "" {
		return true
	}
	return p.Tenant == x.Tenant && (x.Who.App == "" || p.App == "" || p.App == x.Who.App)
}

func (p *pauses) list(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	all, err := p.room.All(ctx)
	if err != nil {
		return door.Reply{}, err
	}
	out := client.PauseList{Items: []client.Pause{}}
	for i := range all {
		if seesPause(x, &all[i]) {
			out.Items = append(out.Items, pauseView(&all[i]))
		}
	}
	return door.Reply{Status: http.StatusOK, Body: out}, nil
}

func (p *pauses) lift(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(pause.Prefix)
	if err != nil {
		return door.Reply{}, err
	}
	err = p.room.Remove(ctx, id, func(one *pause.Pause) error {
		switch {
		case !seesPause(x, one):
			return push.ErrNotFound
		case !mayPause(x, one):
			return door.Refuse(door.CodeForbidden, "the platform's operator asked for this pause, who alone lifts it")
		}
		return nil
	})
	return door.Reply{Status: http.StatusNoContent}, err
}

func pauseView(p *pause.Pause) client.Pause {
	return client.Pause{
		ID: string(p.ID), Scope: client.PauseScope(p.Scope()), Tenant: p.Tenant, App: p.App, Reason: p.Reason, By: p.By, Since: p.Since,
		Operator: p.Operator,
	}
}
