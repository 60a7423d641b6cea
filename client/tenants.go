package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// OfTenant makes a call about another tenant than the key's own. Only the platform's
// operator may.
func OfTenant(name string) CallOption { return func(o *callOptions) { o.tenant = name } }

func tenantQuery(opts []CallOption) url.Values {
	q := url.Values{}
	if t := gather(opts).tenant; t != "" {
		q.Set("tenant", t)
	}
	return q
}

func patch(path string, query url.Values, body any) (call, error) {
	cl, err := bodied(http.MethodPatch, path, body)
	cl.query = query
	return cl, err
}

// bodied is a call that may be repeated as it is.
func bodied(method, path string, body any) (call, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return call{}, fmt.Errorf("encode the body of %s %s: %w", method, path, err)
	}
	return call{method: method, path: path, body: b, timeout: attemptTimeout}, nil
}

// answered makes a call that was built and decodes its answer.
func answered[T any](ctx context.Context, c *Client, cl call, err error) (T, error) {
	var out T
	if err != nil {
		return out, err
	}
	err = c.do(ctx, cl, &out)
	return out, err
}

func tenantPath(name string) string { return "/v1/tenants/" + url.PathEscape(name) }

// CreateTenant makes a tenant. The platform's operator may.
func (c *Client) CreateTenant(ctx context.Context, req TenantRequest, opts ...CallOption) (Tenant, error) {
	cl, err := post("/v1/tenants", req, opts...)
	return answered[Tenant](ctx, c, cl, err)
}

// Tenants returns the tenants, page by page. An error is the last pair.
func (c *Client) Tenants(ctx context.Context) iter.Seq2[Tenant, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]Tenant, string, error) {
		return list[Tenant](ctx, c, "/v1/tenants", limited(url.Values{}, largestPage), cursor)
	})
}

// Tenant returns a tenant.
func (c *Client) Tenant(ctx context.Context, name string) (Tenant, error) {
	return answered[Tenant](ctx, c, get(tenantPath(name), nil), nil)
}

// PatchTenant changes what p gives of a tenant, and leaves the rest as it is.
func (c *Client) PatchTenant(ctx context.Context, name string, p TenantPatch) (Tenant, error) {
	cl, err := patch(tenantPath(name), nil, p)
	return answered[Tenant](ctx, c, cl, err)
}

// DeleteTenant ends a tenant: its keys open nothing any more, and what is open of it
// ends as cancelled. Its name is never given to another.
func (c *Client) DeleteTenant(ctx context.Context, name string) error {
	return c.do(ctx, del(tenantPath(name)), nil)
}

// PlatformSettings returns the settings of the platform.
func (c *Client) PlatformSettings(ctx context.Context) (PlatformSettings, error) {
	return answered[PlatformSettings](ctx, c, get("/v1/platform", nil), nil)
}

// SetPlatform replaces the settings of the platform.
func (c *Client) SetPlatform(ctx context.Context, s Settings) (PlatformSettings, error) {
	cl, err := bodied(http.MethodPut, "/v1/platform", PlatformRequest{Settings: s})
	return answered[PlatformSettings](ctx, c, cl, err)
}

func appPath(name string) string { return "/v1/apps/" + url.PathEscape(name) }

// CreateApp makes an app.
func (c *Client) CreateApp(ctx context.Context, req AppRequest, opts ...CallOption) (App, error) {
	cl, err := post("/v1/apps", req, opts...)
	cl.query = tenantQuery(opts)
	return answered[App](ctx, c, cl, err)
}

// Apps returns the apps of a tenant.
func (c *Client) Apps(ctx context.Context, opts ...CallOption) ([]App, error) {
	l, err := answered[AppList](ctx, c, get("/v1/apps", tenantQuery(opts)), nil)
	return l.Items, err
}

// App returns an app.
func (c *Client) App(ctx context.Context, name string, opts ...CallOption) (App, error) {
	return answered[App](ctx, c, get(appPath(name), tenantQuery(opts)), nil)
}

// PatchApp changes what p gives of an app, and leaves the rest as it is.
func (c *Client) PatchApp(ctx context.Context, name string, p AppPatch, opts ...CallOption) (App, error) {
	cl, err := patch(appPath(name), tenantQuery(opts), p)
	return answered[App](ctx, c, cl, err)
}

// DeleteApp ends an app: nothing is accepted for it any more.
func (c *Client) DeleteApp(ctx context.Context, name string, opts ...CallOption) error {
	cl := del(appPath(name))
	cl.query = tenantQuery(opts)
	return c.do(ctx, cl, nil)
}

// Configuration returns the settings that hold for an app, "" for the app default, and
// where each comes from.
func (c *Client) Configuration(ctx context.Context, app string, opts ...CallOption) (Configuration, error) {
	q := tenantQuery(opts)
	if app != "" {
		q.Set("app", app)
	}
	return answered[Configuration](ctx, c, get("/v1/configuration", q), nil)
}

func keyPath(id string) string { return "/v1/api-keys/" + url.PathEscape(id) }

// CreateAPIKey makes a key. Its text is in the first answer only: if that got lost and the
// call was repeated, [NewAPIKey.Key] is empty; revoke the key then, and make another.
func (c *Client) CreateAPIKey(ctx context.Context, req APIKeyRequest, opts ...CallOption) (NewAPIKey, error) {
	cl, err := post("/v1/api-keys", req, opts...)
	cl.query = tenantQuery(opts)
	return answered[NewAPIKey](ctx, c, cl, err)
}

// APIKeys returns the keys of a tenant in these states, in any if none is given.
func (c *Client) APIKeys(ctx context.Context, states []APIKeyState, opts ...CallOption) ([]APIKey, error) {
	q := tenantQuery(opts)
	for _, s := range states {
		q.Add("state", string(s))
	}
	l, err := answered[APIKeyList](ctx, c, get("/v1/api-keys", q), nil)
	return l.Items, err
}

// APIKey returns what is stored of a key.
func (c *Client) APIKey(ctx context.Context, id string, opts ...CallOption) (APIKey, error) {
	return answered[APIKey](ctx, c, get(keyPath(id), tenantQuery(opts)), nil)
}

// RotateAPIKey makes a key like another one, which stays live for a while; see
// [Client.CreateAPIKey] for its text.
func (c *Client) RotateAPIKey(ctx context.Context, id string, req RotateRequest, opts ...CallOption) (NewAPIKey, error) {
	cl, err := post(keyPath(id)+"/rotate", req, opts...)
	cl.query = tenantQuery(opts)
	return answered[NewAPIKey](ctx, c, cl, err)
}

// RevokeAPIKey ends a key: within five seconds no server takes it any more.
func (c *Client) RevokeAPIKey(ctx context.Context, id string, opts ...CallOption) (APIKey, error) {
	cl := del(keyPath(id))
	cl.query = tenantQuery(opts)
	return answered[APIKey](ctx, c, cl, nil)
}

// CreateRole makes a role.
func (c *Client) CreateRole(ctx context.Context, req RoleRequest, opts ...CallOption) (Role, error) {
	cl, err := post("/v1/roles", req, opts...)
	cl.query = tenantQuery(opts)
	return answered[Role](ctx, c, cl, err)
}

// Roles returns the roles of a tenant, built-in ones first.
func (c *Client) Roles(ctx context.Context, opts ...CallOption) ([]Role, error) {
	l, err := answered[RoleList](ctx, c, get("/v1/roles", tenantQuery(opts)), nil)
	return l.Items, err
}

// DeleteRole removes a role that a tenant made. Keys with it open nothing any more.
func (c *Client) DeleteRole(ctx context.Context, name string, opts ...CallOption) error {
	cl := del("/v1/roles/" + url.PathEscape(name))
	cl.query = tenantQuery(opts)
	return c.do(ctx, cl, nil)
}
