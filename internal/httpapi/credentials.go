package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/tenants"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/push"
)

// credentials serve the FCM credentials of apps. No answer has anything of a key.
type credentials struct {
	room Credentials
	apps tenants.Apps
}

// ref returns whose credential the path names. A tenant that is not the caller's does not exist
// for the caller, nor does another app for a key of one, unless that is the platform's operator's.
func (c *credentials) ref(x *door.Exchange) (credential.Ref, error) {
	ref := credential.Ref{Tenant: x.Tenant, App: x.Request.PathValue("app")}
	if named := x.Request.PathValue("tenant"); named != "" {
		ref.Tenant = named
	}
	own := ref.Tenant == x.Tenant && (x.Who.App == "" || x.Who.App == ref.App) || x.Who.Can(access.PermPlatform)
	if !own || push.CheckName(ref.Tenant) != "" || push.CheckName(ref.App) != "" {
		return credential.Ref{}, push.ErrNotFound
	}
	return ref, nil
}

func (c *credentials) put(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	ref, err := c.ref(x)
	if err != nil {
		return door.Reply{}, err
	}
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	if _, err := c.apps.Effective(ctx, ref.Tenant, ref.App); err != nil { // push.ErrNotFound: there is no such app
		return door.Reply{}, err
	}
	before, err := c.shown(ctx, ref)
	if err != nil {
		return door.Reply{}, err
	}
	if err := c.approve(ctx, x, ref, body); err != nil {
		return door.Reply{}, err
	}
	u := credential.Upload{Ref: ref, File: body, By: x.Who.Name, ChangeProject: x.Query.Flag("change_project")}
	stored, err := c.room.Put(ctx, u)
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: credentialView(&stored)}, x.Changed(before, credentialView(&stored))
}

// approve asks for a second person where the app's settings want one for its credential. The first credential counts as
// a change, too: otherwise whoever may make apps sends as anybody. What is approved is this file for this app, or its
// removal; of the file, a digest is kept.
func (*credentials) approve(ctx context.Context, x *door.Exchange, ref credential.Ref, file []byte) error {
	request := fmt.Appendf(nil, "%s %s/%s %v ", x.Request.Method, ref.Tenant, ref.App, x.Query.Flag("change_project"))
	return x.ApproveFor(ctx, ref.Tenant, ref.App, access.ActCredential, append(request, file...),
		func(context.Context) (int64, string, error) {
			what := "change"
			if file == nil {
				what = "remove"
			}
			return 1, fmt.Sprintf("%s the FCM credential of the app %s of %s", what, ref.App, ref.Tenant), nil
		})
}

// shown returns what the audit log is told of a credential, nil if there is none.
func (c *credentials) shown(ctx context.Context, ref credential.Ref) (any, error) {
	found, err := c.room.Get(ctx, ref)
	if errors.Is(err, push.ErrNotFound) || errors.Is(err, credential.ErrUnreadable) {
		return nil, nil
	}
	return credentialView(&found), err
}

func (c *credentials) get(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	ref, err := c.ref(x)
	if err != nil {
		return door.Reply{}, err
	}
	return credential200(c.room.Get(ctx, ref))
}

func (c *credentials) delete(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	ref, err := c.ref(x)
	if err != nil {
		return door.Reply{}, err
	}
	before, err := c.shown(ctx, ref)
	if err != nil {
		return door.Reply{}, err
	}
	if err := c.approve(ctx, x, ref, nil); err != nil {
		return door.Reply{}, err
	}
	if err := c.room.Delete(ctx, ref); err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusNoContent}, x.Changed(before, nil)
}

func (c *credentials) list(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant := x.Tenant
	if x.Query.Flag("all") {
		if !x.Who.Can(access.PermPlatform) {
			return door.Reply{}, door.Refuse(door.CodeForbidden, "this key sees its own tenant's credentials only: leave all out")
		}
		tenant = ""
	}
	items, next, err := c.room.List(ctx, tenant, x.Query.Text("cursor"), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	out := client.CredentialList{Items: []client.Credential{}, NextCursor: next}
	for i := range items {
		if v := credentialView(&items[i]); x.Who.App == "" || v.App == x.Who.App {
			out.Items = append(out.Items, v)
		}
	}
	return door.Reply{Status: http.StatusOK, Body: out}, nil
}

func credential200(c credential.Credential, err error) (door.Reply, error) {
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: credentialView(&c)}, nil
}

func credentialView(c *credential.Credential) client.Credential {
	if c.Sealed != "" {
		c.Warnings = append(c.Warnings, c.Sealed)
	}
	return client.Credential{
		Tenant: c.Tenant, App: c.App, Project: c.Project, ClientEmail: c.Email, KeyID: c.KeyID, Fingerprint: c.Fingerprint,
		State: client.CredentialState(c.State), Reason: c.Reason, SealKey: c.SealKey, Since: c.Since, By: c.By,
		CheckedAt: views.Time(c.CheckedAt), Warnings: c.Warnings,
	}
}

func (c *credentials) routes() []*door.Route {
	all := []*door.Route{{
		Method: http.MethodGet, Path: "/v1/credentials", Name: "listCredentials", Needs: access.PermAdmin, Group: groupApps,
		About: "List the FCM credentials of the tenant's apps.",
		Params: append(door.PageParams(), door.Param{
			Name: "all", About: "Those of every tenant, for a platform operator.", Kind: door.ParamFlag,
		}),
		Gives: door.OK(reflect.TypeFor[client.CredentialList]()), Codes: []door.Code{door.CodeForbidden},
		Run: door.Replying(c.list),
	}}
	all = append(all, c.routesAt("/v1/apps/{app}/credential", "", "an app")...)
	return append(all, c.routesAt("/v1/tenants/{tenant}/apps/{app}/credential", "Tenant", "an app of a tenant, for a platform operator")...)
}

// routesAt returns the routes of one credential at a path.
func (c *credentials) routesAt(path, of, whose string) []*door.Route {
	view := reflect.TypeFor[client.Credential]()
	return []*door.Route{
		{
			Method: http.MethodPut, Path: path, Name: "put" + of + "Credential", Needs: access.PermAdmin, Group: groupApps,
			About: "Give the FCM credential of " + whose + ".",
			Detail: "The body is a service-account key file, as the Firebase console makes it. Google is asked first (an access token, and a " +
				"message that is only validated): what it refuses is not stored. If it cannot be asked, the credential is stored as " +
				"`unchecked`, with a warning. It is sealed, and never shown again; dispatchers use it within five seconds, and requests that " +
				"are under way end with the old one.",
			Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.ServiceAccount](), Sample: describe.SampleServiceAccount(),
			Params: []door.Param{{
				Name: "change_project", About: "Let it be of another Firebase project than the one that it replaces.", Kind: door.ParamFlag,
			}},
			Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict, door.CodeApproval},
			Run: door.Replying(c.put),
		},
		{
			Method: http.MethodGet, Path: path, Name: "get" + of + "Credential", Needs: access.PermAdmin, Group: groupApps,
			About: "Show whose FCM credential " + whose + " has, not the key.", Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(c.get),
		},
		{
			Method: http.MethodDelete, Path: path, Name: "delete" + of + "Credential", Needs: access.PermAdmin, Group: groupApps,
			About:  "Remove the FCM credential of " + whose + ".",
			Detail: "What the app has to send waits until there is another one, or expires.",
			Gives:  []door.Given{{Status: http.StatusNoContent, About: "Removed."}},
			Codes:  []door.Code{door.CodeNotFound, door.CodeConflict, door.CodeApproval},
			Run:    door.Replying(c.delete),
		},
	}
}
