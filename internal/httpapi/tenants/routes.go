package tenants

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// Group is the tag of these routes.
const Group = describe.GroupTenants

// Routes returns the routes of tenants, apps, keys, roles and settings.
func Routes(d Directory, e Entrance) []*door.Route {
	h := &handlers{directory: d, entrance: e}
	return slices.Concat(h.tenantRoutes(), h.appRoutes(), h.keyRoutes(), h.signingRoutes(), h.roleRoutes())
}

const entitlements = "`weight`, `keep_days`, `over_quota` and all quotas are entitlements: only the platform's operator (permission " +
	"`platform`) may change them."

// ofTenant is the parameter by which the platform's operator names another tenant.
func ofTenant() door.Param {
	return door.Param{
		Name: "tenant", About: "Another tenant than the key's own; for the platform's operator (permission `platform`).",
		High: access.MaxName,
	}
}

func typ[T any]() reflect.Type { return reflect.TypeFor[T]() }

func created(of reflect.Type) []door.Given {
	return []door.Given{{Status: http.StatusCreated, About: "Made.", Types: []string{door.TypeJSON}, Of: of, Located: true}}
}

func page(of reflect.Type) []door.Given {
	return []door.Given{{Status: http.StatusOK, About: "As it is now.", Types: []string{door.TypeJSON}, Of: of}}
}

func gone() []door.Given { return []door.Given{{Status: http.StatusNoContent, About: "Ended."}} }

func patches() []string { return []string{door.TypeJSON, door.TypeMergePatch} }

func (h *handlers) tenantRoutes() []*door.Route {
	const group, all, one = Group, "/v1/tenants", "/v1/tenants/{tenant}"
	view := typ[client.Tenant]()
	return []*door.Route{
		{
			Method: http.MethodPost, Path: all, Name: "createTenant", Needs: access.PermPlatform, Group: group,
			About: "Make a tenant.",
			Detail: "Give it a key next, with `POST /v1/api-keys?tenant=`. On a server that lets requests without a key in, that ends with the " +
				"second tenant; it is refused while there is no key of the platform's operator.",
			Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: typ[client.TenantRequest](), Gives: created(view),
			Codes: []door.Code{door.CodeTaken, door.CodeState}, Run: door.Replying(door.OnceRead(h.createTenant)),
		},
		{
			Method: http.MethodGet, Path: all, Name: "listTenants", Needs: access.PermPlatform, Group: group,
			About: "List tenants by name, default first.", Params: door.PageParams(), Gives: page(typ[client.TenantList]()),
			Run: door.Replying(h.listTenants),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getTenant", Needs: access.PermRead, Group: group,
			About:  "Show a tenant.",
			Detail: "The caller's own; the platform's operator (permission `platform`) sees every one.",
			Gives:  door.OK(view), Codes: []door.Code{door.CodeNotFound}, Run: door.Replying(h.getTenant),
		},
		{
			Method: http.MethodPatch, Path: one, Name: "patchTenant", Needs: access.PermAdmin, Group: group,
			About: "Change a tenant.",
			Detail: "A JSON merge patch (RFC 7396): what is left out stays, a setting that is null is inherited again. The caller's own tenant; " +
				"the platform's operator changes every one. " + entitlements,
			Takes: patches(), Body: typ[client.TenantPatch](), Gives: door.OK(view),
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.patchTenant),
		},
		{
			Method: http.MethodDelete, Path: one, Name: "deleteTenant", Needs: access.PermPlatform, Group: group,
			About: "End a tenant: its keys open nothing any more.",
			Detail: "Keys are refused, and nothing is sent for it any more, within five seconds: what is open ends as `cancelled`. " +
				"Its replays are cancelled, its FCM credentials and pauses removed. Its name is never given to another. " +
				"The tenant `default` can't be deleted. Deleting " +
				"it again is a 404.",
			Gives: gone(), Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.deleteTenant),
		},
		{
			Method: http.MethodGet, Path: "/v1/platform", Name: "getPlatform", Needs: access.PermPlatform, Group: group,
			About: "Show the settings that hold for every tenant that does not set them.", Gives: door.OK(typ[client.PlatformSettings]()),
			Run: door.Replying(h.getPlatform),
		},
		{
			Method: http.MethodPut, Path: "/v1/platform", Name: "putPlatform", Needs: access.PermPlatform, Group: group,
			About: "Replace the settings that hold for every tenant that does not set them.",
			Takes: []string{door.TypeJSON}, Body: typ[client.PlatformRequest](), Gives: door.OK(typ[client.PlatformSettings]()),
			Codes: []door.Code{door.CodeConflict}, Run: door.Replying(h.putPlatform),
		},
	}
}

func (h *handlers) appRoutes() []*door.Route {
	const group, all, one = Group, "/v1/apps", "/v1/apps/{app}"
	view, params := typ[client.App](), []door.Param{ofTenant()}
	return []*door.Route{
		{
			Method: http.MethodPost, Path: all, Name: "createApp", Needs: access.PermAdmin, Group: group,
			About:  "Make an app of a tenant.",
			Detail: "It has an FCM credential of its own; until that is given, what is sent for it waits. " + entitlements,
			Params: params, Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: typ[client.AppRequest](), Gives: created(view),
			Codes: []door.Code{door.CodeNotFound, door.CodeTaken}, Run: door.Replying(door.OnceRead(h.createApp)),
		},
		{
			Method: http.MethodGet, Path: all, Name: "listApps", Needs: access.PermRead, Group: group,
			About: "List the apps of a tenant, default first.", Params: params, Gives: page(typ[client.AppList]()),
			Codes: []door.Code{door.CodeNotFound}, Run: door.Replying(h.listApps),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getApp", Needs: access.PermRead, Group: group,
			About: "Show an app.", Params: params, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound}, Run: door.Replying(h.getApp),
		},
		{
			Method: http.MethodPatch, Path: one, Name: "patchApp", Needs: access.PermAdmin, Group: group,
			About: "Change an app.",
			Detail: "A JSON merge patch (RFC 7396): what is left out stays, a setting that is null is inherited from the tenant again. " +
				entitlements,
			Params: params, Takes: patches(), Body: typ[client.AppPatch](), Gives: door.OK(view),
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.patchApp),
		},
		{
			Method: http.MethodDelete, Path: one, Name: "deleteApp", Needs: access.PermAdmin, Group: group,
			About: "End an app: within five seconds nothing is accepted for it any more.",
			Detail: "What is open of it ends as `cancelled`; its FCM credential and pauses are removed. " +
				"Its name is never given to another. The app `default` can't be deleted.",
			Params: params, Gives: gone(), Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.deleteApp),
		},
		{
			Method: http.MethodGet, Path: "/v1/configuration", Name: "getConfiguration", Needs: access.PermRead, Group: group,
			About:  "Show the settings that hold for an app, and where each comes from.",
			Detail: "From the app, else from its tenant, else from the platform, else Belfry's default. A change holds within five seconds.",
			Params: append(params, door.Param{
				Name: "app", About: "The app; left out: the one that the key is limited to, or default.", High: access.MaxName,
			}),
			Gives: door.OK(typ[client.Configuration]()), Codes: []door.Code{door.CodeNotFound}, Run: door.Replying(h.getConfiguration),
		},
	}
}

func (h *handlers) keyRoutes() []*door.Route {
	const group, all, one = Group, "/v1/api-keys", "/v1/api-keys/{id}"
	const once = "The key's text is in this answer only, and stored nowhere. The answer that is kept for a repeat with the same " +
		"Idempotency-Key is without it: a repeat makes no second key, and `key` is absent."
	view, fresh, params := typ[client.APIKey](), typ[client.NewAPIKey](), []door.Param{ofTenant()}
	states := door.Param{Name: "state", About: "Only keys in this state; may be repeated.", Kind: door.ParamChoice, Many: true}
	for _, s := range client.APIKeyStates() {
		states.Choices = append(states.Choices, string(s))
	}
	return []*door.Route{
		{
			Method: http.MethodPost, Path: all, Name: "createAPIKey", Needs: access.PermAdmin, Group: group,
			About: "Make an API key.",
			Detail: once + " A key cannot be given more than its maker may, nor, by a key that is limited to an app, for another app. " +
				"`notes` says whether requests without a key are still let in.",
			Params: params, Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: typ[client.APIKeyRequest](), Gives: created(fresh),
			Codes: []door.Code{door.CodeNotFound}, Run: door.Replying(door.OnceRead(h.createKey)),
		},
		{
			Method: http.MethodGet, Path: all, Name: "listAPIKeys", Needs: access.PermAdmin, Group: group,
			About:  "List the API keys of a tenant, the oldest first, also those that open nothing any more.",
			Params: append(params, states), Gives: page(typ[client.APIKeyList]()), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(h.listKeys),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getAPIKey", Needs: access.PermAdmin, Group: group,
			About: "Show an API key, without its text.", Params: params, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(h.getKey),
		},
		{
			Method: http.MethodDelete, Path: one, Name: "revokeAPIKey", Needs: access.PermAdmin, Group: group,
			About: "Revoke an API key: within five seconds no server takes it.", Params: params, Gives: door.OK(view),
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.revokeKey),
		},
		{
			Method: http.MethodPost, Path: one + "/rotate", Name: "rotateAPIKey", Needs: access.PermAdmin, Group: group,
			About:  "Make a key like another one, which stays live for the overlap and then ends.",
			Detail: once + " Without a body the overlap is 24 hours.",
			Params: params, Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: typ[client.RotateRequest](), Gives: created(fresh),
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(door.OnceRead(h.rotateKey)),
		},
	}
}

func (h *handlers) roleRoutes() []*door.Route {
	const group, all = Group, "/v1/roles"
	view, params := typ[client.Role](), []door.Param{ofTenant()}
	return []*door.Route{
		{
			Method: http.MethodPost, Path: all, Name: "createRole", Needs: access.PermAdmin, Group: group,
			About: "Make a role of a tenant: a named set of permissions.", Detail: "Nobody makes a role that allows more than its maker may.",
			Params: params, Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: typ[client.RoleRequest](),
			Gives: []door.Given{{Status: http.StatusCreated, About: "Made.", Types: []string{door.TypeJSON}, Of: view}},
			Codes: []door.Code{door.CodeNotFound, door.CodeTaken}, Run: door.Replying(door.OnceRead(h.createRole)),
		},
		{
			Method: http.MethodGet, Path: all, Name: "listRoles", Needs: access.PermRead, Group: group,
			About: "List the roles of a tenant, built-in ones first.", Params: params, Gives: page(typ[client.RoleList]()),
			Codes: []door.Code{door.CodeNotFound}, Run: door.Replying(h.listRoles),
		},
		{
			Method: http.MethodDelete, Path: "/v1/roles/{role}", Name: "deleteRole", Needs: access.PermAdmin, Group: group,
			About: "Remove a role that the tenant made; keys with it open nothing any more.", Params: params, Gives: gone(),
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.deleteRole),
		},
	}
}
