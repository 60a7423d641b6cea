package auditlog

import (
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// Routes returns the routes of the audit log.
func Routes(cfg Config) []*door.Route {
	h := &handlers{cfg}
	const group = describe.GroupAudit
	whose := door.Param{Name: "tenant", About: "Whose log; the key's own unless it is the operator's.", High: door.MaxText}
	text := func(name, about string) door.Param { return door.Param{Name: name, About: about, High: door.MaxText} }
	return []*door.Route{
		{
			Method: http.MethodGet, Path: "/v1/audit", Name: "listAudit", Needs: access.PermAudit, Group: group, Audit: door.AuditOwn,
			About: "List who did what, newest first.",
			Detail: "A page may have few entries, or none, and a `next_cursor`: a filter is looked for in some hundred writes of the log at a " +
				"time.",
			Params: append(
				door.PageParams(), whose,
				door.Param{Name: "action", About: "Only this action, or one of these if it is given several times.", High: door.MaxText, Many: true},
				door.Param{
					Name: "kind", About: "Only changes, or only reads.", Kind: door.ParamChoice,
					Choices: []string{string(client.AuditChange), string(client.AuditRead)},
				},
				text("who", "Only this caller, by name or by the id of its key."),
				text("target", "Only calls about this kind of thing, as `notifications`."),
				text("target_id", "Only calls about this one."),
				text("since", "Only calls at this time (RFC 3339) or later."), text("until", "Only calls before this time."),
			),
			Gives: door.OK(reflect.TypeFor[client.AuditList]()), Codes: []door.Code{door.CodeForbidden},
			Run: door.Replying(h.list),
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/export", Name: "exportAudit", Needs: access.PermAudit, Group: group, Audit: door.AuditOwn,
			About: "Export a tenant's whole chain with its signed heads, for `belfry audit verify`.",
			Detail: "The first line says whose it is and with which keys it is signed, the last one that it is whole. " +
				"An entry is exported byte for byte as its hash covers it.",
			Params: []door.Param{whose},
			Gives: []door.Given{{
				Status: http.StatusOK, About: "A line for each entry and head.", Types: []string{door.TypeNDJSON},
				Of: reflect.TypeFor[client.AuditLine](),
			}},
			Codes: []door.Code{door.CodeForbidden}, Run: h.export,
		},
		{
			Method: http.MethodGet, Path: "/v1/audit/tenants", Name: "listAuditTenants", Needs: access.PermAudit, Group: group,
			About: "List the tenants that have an audit log and that the key may see.",
			Gives: door.OK(reflect.TypeFor[client.AuditTenants]()), Run: door.Replying(h.tenants),
		},
	}
}
