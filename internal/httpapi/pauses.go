package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
)

// pauses serve the operators' pauses.
type pauses struct {
	room Pauses
	of   Tenants
}

func (p *pauses) routes() []*door.Route {
	const all = "/v1/pauses"
	one := reflect.TypeFor[client.Pause]()
	return []*door.Route{
		{
			Method: http.MethodPost, Path: all, Name: "addPause", Needs: access.PermManage, Group: groupPauses,
			About: "Pause sending for everything, a tenant, an app, a lane or a label.",
			Detail: "Within a second no process starts another request to FCM for it, until the pause is lifted. What is accepted meanwhile, " +
				"and what was before, waits and says so (`waiting`); it loses no attempt, and what expires ends as `expired`. " +
				"The scope `lane` stops one lane of everything, of a tenant or of an app; `label` stops the notifications and batches of a " +
				"tenant or an app that have a label, and nothing else on their lane. A tenant has at most 100 pauses. " +
				"Everything, a lane of all tenants, and tenants other than the caller's own, need the permission `platform`; " +
				"a pause that was made with it is not the tenant's to lift. What is paused already stays as it is. " +
				"A tenant or an app that is not there is refused.",
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
	if err := p.known(ctx, x, &asked); err != nil {
		return door.Reply{}, err
	}
	x.Because(asked.Reason)
	stands, made, err := p.room.Add(ctx, asked)
	if err != nil {
		return door.Reply{}, err
	}
	view, status := pauseView(&stands), http.StatusOK
	if made {
		status = http.StatusCreated
		if err := x.Changed(nil, view); err != nil {
			return door.Reply{}, err
		}
	}
	return door.Reply{Status: status, Body: view, Location: "/v1/pauses/" + string(stands.ID)}, nil
}

// knownMost is how many tenants are looked through for the one that was meant.
const knownMost = 1000

// known refuses a pause of a tenant or an app that is not there: whoever paused it would believe that something stands still.
func (p *pauses) known(ctx context.Context, x *door.Exchange, asked *pause.Pause) error {
	if asked.Tenant == "" || push.CheckName(asked.Tenant) != "" {
		return nil // of everybody, or no name at all, which the room says better
	}
	t, err := p.of.Tenant(ctx, asked.Tenant)
	switch {
	case errors.Is(err, push.ErrNotFound) && x.Who.Can(access.PermPlatform):
		return p.noTenant(ctx, asked.Tenant)
	case errors.Is(err, push.ErrNotFound): // its key is from the settings
		return nil
	case err != nil:
		return err
	case t.Deleted():
		return push.Faults{{Pointer: "/tenant", Code: push.FaultValue, Detail: "tenant " + asked.Tenant + " was deleted: nothing is sent for it"}}
	case asked.App == "" || push.CheckName(asked.App) != "":
		return nil
	}
	if _, err := p.of.App(ctx, asked.Tenant, asked.App); !errors.Is(err, push.ErrNotFound) {
		return err
	}
	apps, err := p.of.Apps(ctx, asked.Tenant)
	if err != nil {
		return err
	}
	var names []string
	for i := range apps {
		names = append(names, apps[i].Name)
	}
	return push.Faults{{Pointer: "/app", Code: push.FaultValue, Detail: "tenant " + asked.Tenant + " has no app " + asked.App +
		strict.DidYouMean(asked.App, names) + "; belfry app list --tenant " + asked.Tenant + " lists those that it has"}}
}

func (p *pauses) noTenant(ctx context.Context, name string) error {
	all, _, err := p.of.Tenants(ctx, "", knownMost)
	if err != nil {
		return err
	}
	names := []string{access.DefaultName}
	for i := range all {
		names = append(names, all[i].Name)
	}
	return push.Faults{{Pointer: "/tenant", Code: push.FaultValue, Detail: "there is no tenant " + name + strict.DidYouMean(name, names) +
		"; belfry tenant list lists those that are"}}
}

// pauseAsked returns the pause that a request asks for, if the caller may have it.
func pauseAsked(x *door.Exchange, req *client.PauseRequest) (pause.Pause, error) {
	asked := pause.Pause{
		Tenant: req.Tenant, App: req.App, Lane: push.Lane(req.Lane), Label: req.Label, Reason: req.Reason,
		By: x.Who.Name, Operator: x.Who.Can(access.PermPlatform),
	}
	if faults := pauseFaults(req); len(faults) > 0 {
		return asked, faults
	}
	wide := req.Scope == client.PauseEverything || req.Scope == client.PauseLane && req.App == ""
	if asked.Tenant == "" && !wide {
		asked.Tenant = x.Tenant
	}
	if asked.App == "" && req.Scope == client.PauseApp {
		asked.App = access.DefaultName
	}
	switch {
	case mayPause(x, &asked):
		return asked, nil
	case req.Scope == client.PauseLane && asked.Tenant == "":
		return asked, door.Refuse(door.CodeForbidden,
			"a lane of all tenants needs the permission platform; with tenant, this key may pause the lane for its own")
	case x.Who.App != "" && asked.Tenant == x.Tenant && asked.App == "":
		return asked, door.Refuse(door.CodeForbidden, "this key is of one app and may pause what is that app's: name it in app")
	}
	return asked, door.Refuse(door.CodeForbidden,
		"this key may pause what is its own; everything and other tenants need the permission platform")
}

// pauseFaults finds what a request for a pause says that does not fit its scope, and what it does not say.
func pauseFaults(req *client.PauseRequest) (faults push.Faults) {
	fault := func(pointer, code, detail string) {
		faults = append(faults, push.Fault{Pointer: pointer, Code: code, Detail: detail})
	}
	needless := func(pointer, given, detail string) {
		if given != "" {
			fault(pointer, push.FaultConflict, detail)
		}
	}
	switch req.Scope {
	case client.PauseEverything:
		needless("/tenant", req.Tenant, "everything is of all tenants")
		needless("/app", req.App, "everything is of all apps")
	case client.PauseTenant:
		needless("/app", req.App, "the scope is tenant: leave it out, or set scope to app")
	case client.PauseLabel:
		if req.Label == "" {
			fault("/label", push.FaultMissing, "must be given: name=value, or name for any value")
		}
	case client.PauseApp, client.PauseLane:
	default:
		scopes := client.PauseScopes()
		fault("/scope", push.FaultValue, "must be one of "+sentence(scopes)+strict.DidYouMean(string(req.Scope), texts(scopes)))
		return faults
	}
	lanes := client.Lanes()
	switch lane := req.Scope == client.PauseLane; {
	case (lane || req.Lane != "") && !slices.Contains(lanes, req.Lane):
		fault("/lane", push.FaultValue, "must be one of "+sentence(lanes)+strict.DidYouMean(string(req.Lane), texts(lanes)))
	case !lane:
		needless("/lane", string(req.Lane), "the scope is "+string(req.Scope)+": leave it out, or set scope to lane")
	}
	if req.Scope != client.PauseLabel {
		needless("/label", req.Label, "the scope is "+string(req.Scope)+": leave it out, or set scope to label")
	}
	return faults
}

func texts[T ~string](words []T) (out []string) {
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

func sentence[T ~string](words []T) string { return strings.Join(texts(words), ", ") }

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
		return x.Changed(pauseView(one), nil)
	})
	return door.Reply{Status: http.StatusNoContent}, err
}

func pauseView(p *pause.Pause) client.Pause {
	return client.Pause{
		ID: string(p.ID), Scope: client.PauseScope(p.Scope()), What: p.What(), Tenant: p.Tenant, App: p.App,
		Lane: client.Lane(p.Lane), Label: p.Label,
		Reason: p.Reason, By: p.By, Since: p.Since, Operator: p.Operator,
	}
}
