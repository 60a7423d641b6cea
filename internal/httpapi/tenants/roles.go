package tenants

import (
	"context"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/request"
)

func (h *handlers) listRoles(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	roles, err := h.directory.Roles(ctx, tenant)
	if err != nil {
		return door.Reply{}, err
	}
	list := client.RoleList{Items: make([]client.Role, len(roles))}
	for i := range roles {
		list.Items[i] = roleView(&roles[i])
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (h *handlers) createRole(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req struct {
		Name        string              `json:"name"`
		About       string              `json:"about"`
		Permissions []access.Permission `json:"permissions"`
	}
	if err := request.DecodeJSON(x.Body, &req); err != nil {
		return door.Reply{}, err
	}
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	if err := unlimited(x); err != nil {
		return door.Reply{}, err
	}
	r := access.Role{Tenant: tenant, Name: req.Name, About: req.About, Permissions: req.Permissions}
	if r, err = h.directory.CreateRole(ctx, r, x.Who.May, x.Who.Name); err != nil {
		return door.Reply{}, taken(err, "role", req.Name)
	}
	if err := note(x, "roles", tenant, r.Name, nil, roleView(&r)); err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusCreated, Body: roleView(&r)}, nil
}

func (h *handlers) deleteRole(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	if err := unlimited(x); err != nil {
		return door.Reply{}, err
	}
	role := x.Request.PathValue("role")
	if err := h.directory.DeleteRole(ctx, tenant, role); err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusNoContent}, note(x, "roles", tenant, role, map[string]string{"name": role}, nil)
}

func roleView(r *access.Role) client.Role {
	v := client.Role{
		Tenant: r.Tenant, Name: r.Name, About: r.About, BuiltIn: r.BuiltIn(), CreatedAt: views.Time(r.CreatedAt), CreatedBy: r.CreatedBy,
		Permissions: []client.Permission{},
	}
	may := r.Set()
	if r.Tenant != access.DefaultName {
		may &^= access.SetOf(access.PermPlatform) // which no key of the tenant gets from it
	}
	for _, p := range may.List() {
		v.Permissions = append(v.Permissions, client.Permission(p))
	}
	return v
}
