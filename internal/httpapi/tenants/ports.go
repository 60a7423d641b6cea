// Package tenants serves tenants, apps, API keys, roles and settings over HTTP. It bounds what
// a caller sees and changes to its own tenant, and to its own app if it is limited to one,
// unless it is the platform's operator.
package tenants

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/access"
)

// Directory keeps tenants, apps, keys and roles. What does not exist is push.ErrNotFound, what
// exists already or was changed meanwhile push.ErrConflict, and what is wrong with a request
// push.Faults.
type Directory interface {
	Tenancies
	Apps
	Keys
	Roles
}

// Tenancies are the tenants, and what holds for all of them.
type Tenancies interface {
	Tenant(ctx context.Context, name string) (access.Tenant, error)
	Tenants(ctx context.Context, cursor string, limit int) ([]access.Tenant, string, error)
	CreateTenant(ctx context.Context, t access.Tenant, by string) (access.Tenant, error)
	ChangeTenant(ctx context.Context, name string, f func(*access.Tenant) error) (access.Tenant, error)
	DeleteTenant(ctx context.Context, name string) (access.Tenant, error)
	PlatformSettings(ctx context.Context) (access.Platform, error)
	SetPlatform(ctx context.Context, s access.Settings, by string) (access.Platform, error)
}

// Apps are the apps of the tenants, with the settings that hold for them.
type Apps interface {
	App(ctx context.Context, tenant, app string) (access.App, error)
	Apps(ctx context.Context, tenant string) ([]access.App, error)
	CreateApp(ctx context.Context, a access.App, by string) (access.App, error)
	ChangeApp(ctx context.Context, tenant, name string, f func(*access.App) error) (access.App, error)
	DeleteApp(ctx context.Context, tenant, name string) (access.App, error)
	Effective(ctx context.Context, tenant, app string) (access.Effective, error)
}

// Keys are the API keys of the tenants.
type Keys interface {
	Key(ctx context.Context, tenant, id string) (access.Key, error)
	Keys(ctx context.Context, tenant string) ([]access.Key, error)
	CreateKey(ctx context.Context, tenant string, n access.NewKey, may access.Set, by string) (string, access.Key, error)
	RotateKey(ctx context.Context, tenant, id string, overlap time.Duration, may access.Set, by string) (string, access.Key, error)
	RevokeKey(ctx context.Context, tenant, id, by string) (access.Key, error)
	EnableSigning(ctx context.Context, tenant, id string, must bool) (string, access.Key, error)
	DisableSigning(ctx context.Context, tenant, id string) (access.Key, error)
	HasOperatorKey(ctx context.Context) (bool, error)
}

// Roles are the roles of the tenants.
type Roles interface {
	Roles(ctx context.Context, tenant string) ([]access.Role, error)
	CreateRole(ctx context.Context, r access.Role, may access.Set, by string) (access.Role, error)
	DeleteRole(ctx context.Context, tenant, name string) error
}

// Entrance says who is let in without a key.
type Entrance interface {
	// LetsAnyone reports whether requests without a key are let in now.
	LetsAnyone(ctx context.Context) (bool, error)
	// Recheck has it found out anew, after a tenant was made.
	Recheck()
}

var (
	_ Directory = (*access.Directory)(nil)
	_ Entrance  = (*access.Authenticator)(nil)
)
