package access

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Role is a named set of permissions. Five are built in; a tenant can make others.
type Role struct {
	Tenant      string       `json:"tenant"`
	Name        string       `json:"name"` // see [ValidName]; none of the built-in ones
	About       string       `json:"about,omitempty"`
	Permissions []Permission `json:"permissions"`
	CreatedAt   time.Time    `json:"created_at,omitzero"`
	CreatedBy   string       `json:"created_by,omitempty"`
}

// The built-in roles.
const (
	RoleOwner    = "owner"    // everything of the tenant
	RoleOperator = "operator" // keep it going: pause, cancel, replay, discard, approve
	RoleSender   = "sender"   // a service that sends and registers devices
	RoleViewer   = "viewer"   // states and counts
	RoleAuditor  = "auditor"  // states, and who did what
)

// BuiltinRoles returns the roles that every tenant has.
func BuiltinRoles() []Role {
	return []Role{
		{Name: RoleOwner, About: "everything of the tenant", Permissions: Permissions()},
		{
			Name: RoleOperator, About: "keeps it going: pauses, cancels, replays, discards, approves",
			Permissions: []Permission{
				PermManage, PermRead, PermReadPayload, PermReadDevices, PermReplay, PermDiscard, PermApprove,
			},
		},
		{
			Name: RoleSender, About: "a service that sends and registers devices",
			Permissions: []Permission{PermSend, PermManage, PermRead, PermReadDevices, PermWriteDevices},
		},
		{Name: RoleViewer, About: "sees states and counts", Permissions: []Permission{PermRead}},
		{Name: RoleAuditor, About: "sees states and who did what", Permissions: []Permission{PermRead, PermAudit}},
	}
}

// builtin returns a built-in role.
func builtin(name string) (Role, bool) {
	all := BuiltinRoles()
	i := slices.IndexFunc(all, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return all[i], true
}

// BuiltIn reports whether it is one of [BuiltinRoles].
func (r *Role) BuiltIn() bool {
	_, ok := builtin(r.Name)
	return ok
}

// Set returns the role's permissions.
func (r *Role) Set() Set { return SetOf(r.Permissions...) }

// check returns what is wrong with a role that somebody wants to make.
func (r *Role) check() push.Faults {
	faults := checkName("/name", r.Name)
	if _, ok := builtin(r.Name); ok {
		faults = append(faults, push.Fault{Pointer: "/name", Code: push.FaultReserved, Detail: r.Name + " is built in: choose another name"})
	}
	if len(r.Permissions) == 0 {
		faults = append(faults, push.Fault{Pointer: "/permissions", Code: push.FaultMissing, Detail: "must name at least one permission"})
	}
	for i, p := range r.Permissions {
		switch {
		case SetOf(p) == 0:
			faults = append(faults, push.Fault{
				Pointer: fmt.Sprintf("/permissions/%d", i), Code: push.FaultValue,
				Detail: amongst(string(p), texts(Permissions())),
			})
		case p == PermPlatform && r.Tenant != DefaultName:
			faults = append(faults, push.Fault{
				Pointer: fmt.Sprintf("/permissions/%d", i), Code: push.FaultValue,
				Detail: "only roles of the tenant " + DefaultName + " can have platform",
			})
		}
	}
	return faults
}
