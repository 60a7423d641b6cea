package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// Permission is leave to do one kind of thing. Every route of the API needs exactly one.
type Permission string

// The permissions. The set is closed: roles and routes name no other.
const (
	PermSend         Permission = "send"          // accept notifications, batches and events; upload recipients; preview
	PermManage       Permission = "manage"        // pause, resume and cancel what was accepted
	PermRead         Permission = "read"          // states, counts, lists, without what a message says or who got it
	PermReadPayload  Permission = "read_payload"  // messages, deliveries, dead letters and their evidence
	PermReadDevices  Permission = "read_devices"  // the device registry, with tokens
	PermWriteDevices Permission = "write_devices" // register, change, import, restore and delete devices
	PermReplay       Permission = "replay"        // simulate and replay dead letters
	PermDiscard      Permission = "discard"       // discard and import dead letters
	PermAudit        Permission = "audit"         // read and verify the audit log
	PermApprove      Permission = "approve"       // be the second person whose approval a dangerous action needs
	PermAdmin        Permission = "admin"         // apps, keys, roles, credentials and settings of the own tenant
	PermPrivacy      Permission = "privacy"       // export and erase a user
	// PermPlatform is what concerns more than one tenant: tenants themselves, pauses of
	// everything, dead letters of all. Only keys of the tenant [DefaultName] can have it.
	PermPlatform Permission = "platform"
)

// Permissions lists all, in the order of the documentation.
func Permissions() []Permission {
	return []Permission{
		PermSend, PermManage, PermRead, PermReadPayload, PermReadDevices, PermWriteDevices, PermReplay, PermDiscard,
		PermAudit, PermApprove, PermAdmin, PermPrivacy, PermPlatform,
	}
}

// Set is a set of permissions. The zero value is empty.
type Set uint32

// SetOf returns the set of these; a permission that does not exist is left out.
func SetOf(ps ...Permission) Set {
	var s Set
	for _, p := range ps {
		if i := slices.Index(Permissions(), p); i >= 0 {
			s |= 1 << i
		}
	}
	return s
}

// AllPermissions is everything.
func AllPermissions() Set { return SetOf(Permissions()...) }

// Has reports whether p is in the set. No set has a permission that does not exist.
func (s Set) Has(p Permission) bool {
	one := SetOf(p)
	return one != 0 && s&one == one
}

// Covers reports whether all of t is in s: a caller gives nobody more than it has itself.
func (s Set) Covers(t Set) bool { return s&t == t }

// List returns the permissions of the set in the order of [Permissions].
func (s Set) List() []Permission {
	var out []Permission
	for i, p := range Permissions() {
		if s&(1<<i) != 0 {
			out = append(out, p)
		}
	}
	return out
}

// String lists the set, separated by commas.
func (s Set) String() string {
	var names []string
	for _, p := range s.List() {
		names = append(names, string(p))
	}
	return strings.Join(names, ",")
}

// Scope is a coarse cut through the permissions, for keys: a key with scopes may do
// what its role allows and a scope of it covers.
type Scope string

// The scopes.
const (
	ScopeSend    Scope = "send"
	ScopeDevices Scope = "devices"
	ScopeRead    Scope = "read"
	ScopeReplay  Scope = "replay"
	ScopeAdmin   Scope = "admin"
)

// Scopes lists all.
func Scopes() []Scope { return []Scope{ScopeSend, ScopeDevices, ScopeRead, ScopeReplay, ScopeAdmin} }

// Permissions returns what a scope covers, nothing for one that does not exist. Every
// permission is covered by exactly one scope.
func (s Scope) Permissions() Set {
	switch s {
	case ScopeSend:
		return SetOf(PermSend, PermManage)
	case ScopeDevices:
		return SetOf(PermReadDevices, PermWriteDevices)
	case ScopeRead:
		return SetOf(PermRead, PermReadPayload, PermAudit)
	case ScopeReplay:
		return SetOf(PermReplay, PermDiscard)
	case ScopeAdmin:
		return SetOf(PermAdmin, PermApprove, PermPrivacy, PermPlatform)
	}
	return 0
}

// covered is what scopes cover together; everything if there are none.
func covered(scopes []Scope) Set {
	if len(scopes) == 0 {
		return AllPermissions()
	}
	var s Set
	for _, one := range scopes {
		s |= one.Permissions()
	}
	return s
}

// checkScopes returns the faults of scopes at a pointer.
func checkScopes(pointer string, scopes []Scope) push.Faults {
	var faults push.Faults
	for i, s := range scopes {
		if s.Permissions() == 0 {
			faults = append(faults, push.Fault{
				Pointer: fmt.Sprintf("%s/%d", pointer, i), Code: push.FaultValue,
				Detail: amongst(string(s), texts(Scopes())),
			})
		}
	}
	return faults
}

func texts[T ~string](all []T) []string {
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = string(one)
	}
	return names
}
