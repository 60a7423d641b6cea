package client

import "time"

// Settings are what the platform, a tenant or an app may set. What is nil is inherited: an
// app's from its tenant, a tenant's from the platform, the platform's from Belfry.
type Settings struct {
	TTL       *int64     `json:"ttl,omitempty" doc:"seconds that Belfry tries, of requests without ttl and expires_at; 1 to 2419200"`
	Priority  *Priority  `json:"priority,omitempty" doc:"of requests that give none"`
	Guarantee *Guarantee `json:"delivery_guarantee,omitempty" doc:"of requests that give none"`

	MaxAttempts *int64 `json:"max_attempts,omitempty" doc:"requests to FCM for one recipient, 1 to 100"`
	KeepDays    *int64 `json:"keep_days,omitempty" doc:"days that notifications are kept after their last change, 3 to 3650, and no more than the server keeps any; it holds for what is accepted from then on; 0 in the effective configuration: for ever; an entitlement"`
	Weight      *int64 `json:"weight,omitempty" doc:"share of a contended FCM quota and lane, relative to other tenants, 1 to 100; an entitlement"`

	RequestsPerSecond      *int64  `json:"requests_per_second,omitempty" doc:"of the API; 0: unlimited; an entitlement"`
	NotificationsPerMinute *int64  `json:"notifications_per_minute,omitempty" doc:"accepted; 0: unlimited; an entitlement"`
	RecipientsPerDay       *int64  `json:"recipients_per_day,omitempty" doc:"accepted in a UTC day; 0: unlimited; an entitlement"`
	QueuedRecipients       *int64  `json:"queued_recipients,omitempty" doc:"open at once; 0: unlimited; an entitlement"`
	OverQuota              *string `json:"over_quota,omitempty" enum:"refuse,defer" doc:"what happens beyond a quota: 429, or it waits; an entitlement"`
	KeyRequestsPerSecond   *int64  `json:"key_requests_per_second,omitempty" doc:"of one API key; 0: unlimited; an entitlement"`

	ApproveReplayOver       *int64 `json:"approve_replay_over,omitempty" doc:"letters; a replay of more needs a second person; 0: never"`
	ApproveDiscardOver      *int64 `json:"approve_discard_over,omitempty" doc:"letters; a discard of more needs a second person; 0: never"`
	ApproveCredentialChange *bool  `json:"approve_credential_change,omitempty" doc:"whether changing a credential needs a second person"`
	RequireSigned           *bool  `json:"require_signed,omitempty" doc:"whether requests that change something must be signed"`
}

// Tenant is one client organisation. Nothing of it is visible to another.
type Tenant struct {
	Name      string     `json:"name" doc:"unique, also among deleted ones; it never changes"`
	About     string     `json:"about,omitempty" doc:"for people"`
	Settings  Settings   `json:"settings" doc:"what it sets; the rest is inherited"`
	CreatedAt *time.Time `json:"created_at,omitempty" doc:"absent for the tenant default until it is changed"`
	CreatedBy string     `json:"created_by,omitempty" doc:"the caller that made it"`
	UpdatedAt *time.Time `json:"updated_at,omitempty" doc:"when it was changed last"`
	Notes     []string   `json:"notes,omitempty" doc:"in the answer to its creation: what changes for others"`
}

// TenantList is a page of tenants.
type TenantList struct {
	Items      []Tenant `json:"items" doc:"the tenants"`
	NextCursor string   `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// TenantRequest asks for a tenant.
type TenantRequest struct {
	Name     string   `json:"name" doc:"1 to 40 of a-z, 0-9 and -, beginning with a letter or digit"`
	About    string   `json:"about,omitempty" doc:"for people, at most 500 bytes"`
	Settings Settings `json:"settings,omitzero" doc:"what it sets; the rest is inherited"`
}

// TenantPatch changes a tenant: what is left out stays as it is.
type TenantPatch struct {
	About    *string        `json:"about,omitempty" doc:"for people; empty removes it"`
	Settings map[string]any `json:"settings,omitempty" doc:"settings to change, by name; null inherits again"`
}

// PlatformSettings is what holds for every tenant that does not set it.
type PlatformSettings struct {
	Settings  Settings   `json:"settings" doc:"what the platform sets; for the rest Belfry has defaults"`
	UpdatedAt *time.Time `json:"updated_at,omitempty" doc:"when it was changed last"`
	UpdatedBy string     `json:"updated_by,omitempty" doc:"the caller that changed it last"`
}

// PlatformRequest replaces the settings of the platform.
type PlatformRequest struct {
	Settings Settings `json:"settings" doc:"all that the platform sets: what is left out is Belfry's default again"`
}

// App is one application of a tenant: it has an FCM credential of its own.
type App struct {
	Tenant    string     `json:"tenant" doc:"whose it is"`
	Name      string     `json:"name" doc:"unique in the tenant, also among deleted ones; every tenant has the app default"`
	About     string     `json:"about,omitempty" doc:"for people"`
	Settings  Settings   `json:"settings" doc:"what it sets; the rest is inherited from the tenant"`
	CreatedAt *time.Time `json:"created_at,omitempty" doc:"absent for the app default until it is changed"`
	CreatedBy string     `json:"created_by,omitempty" doc:"the caller that made it"`
	UpdatedAt *time.Time `json:"updated_at,omitempty" doc:"when it was changed last"`
}

// AppList is the apps of a tenant.
type AppList struct {
	Items []App `json:"items" doc:"the apps, default first"`
}

// AppRequest asks for an app.
type AppRequest struct {
	Name     string   `json:"name" doc:"1 to 40 of a-z, 0-9 and -, beginning with a letter or digit"`
	About    string   `json:"about,omitempty" doc:"for people, at most 500 bytes"`
	Settings Settings `json:"settings,omitzero" doc:"what it sets; the rest is inherited from the tenant"`
}

// AppPatch changes an app: what is left out stays as it is.
type AppPatch struct {
	About    *string        `json:"about,omitempty" doc:"for people; empty removes it"`
	Settings map[string]any `json:"settings,omitempty" doc:"settings to change, by name; null inherits again"`
}

// Configuration is the settings that hold for an app, and where each comes from.
type Configuration struct {
	Tenant   string            `json:"tenant" doc:"whose app it is"`
	App      string            `json:"app" doc:"the app that they hold for"`
	Settings Settings          `json:"settings" doc:"every setting, with the value that holds"`
	From     map[string]Origin `json:"from" doc:"where each setting's value comes from, by its name"`
}

// APIKey is what is shown of an API key: never its text.
type APIKey struct {
	ID        string      `json:"id" doc:"the third part of the key's text; it is no secret"`
	Tenant    string      `json:"tenant" doc:"on whose behalf it acts"`
	App       string      `json:"app,omitempty" doc:"the app that it is limited to; absent: all of the tenant's"`
	Name      string      `json:"name,omitempty" doc:"for people"`
	Env       string      `json:"env" doc:"the second part of the key's text"`
	Role      string      `json:"role" doc:"what it may"`
	Scopes    []Scope     `json:"scopes,omitempty" doc:"narrow the role; absent: all that the role has"`
	Networks  []string    `json:"networks,omitempty" doc:"where requests must come from; absent: anywhere"`
	State     APIKeyState `json:"state" doc:"whether it opens anything"`
	CreatedAt time.Time   `json:"created_at" doc:"when it was made"`
	CreatedBy string      `json:"created_by,omitempty" doc:"the caller that made it"`
	ExpiresAt *time.Time  `json:"expires_at,omitempty" doc:"from when on it opens nothing; absent: never"`
	RevokedAt *time.Time  `json:"revoked_at,omitempty" doc:"when it was revoked"`
	RevokedBy string      `json:"revoked_by,omitempty" doc:"the caller that revoked it"`
	UsedAt    *time.Time  `json:"used_at,omitempty" doc:"when it was used last, to ten minutes; absent: never"`
	Replaces  string      `json:"replaces,omitempty" doc:"the key that it takes the place of"`
	Signing   Signing     `json:"signing,omitempty" doc:"whether its requests are signed; absent: it has no secret for that"`
}

// APIKeyList is the keys of a tenant.
type APIKeyList struct {
	Items []APIKey `json:"items" doc:"the keys, the oldest first"`
}

// APIKeyRequest asks for a key.
type APIKeyRequest struct {
	App       string     `json:"app,omitempty" doc:"limits it to this app"`
	Name      string     `json:"name,omitempty" doc:"for people, at most 100 bytes"`
	Env       string     `json:"env,omitempty" doc:"1 to 8 of a-z and 0-9, for whoever sees the key; default live"`
	Role      string     `json:"role,omitempty" doc:"what it may; default sender"`
	Scopes    []Scope    `json:"scopes,omitempty" doc:"narrow the role"`
	Networks  []string   `json:"networks,omitempty" doc:"where requests must come from, such as 203.0.113.0/24; at most 50"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"from when on it opens nothing; default never"`
}

// NewAPIKey answers the request for a key. It is the only place where the key's text is.
type NewAPIKey struct {
	Key    string   `json:"key,omitempty" doc:"the key's text; only here, and only the first time: it is stored nowhere"`
	APIKey APIKey   `json:"api_key" doc:"what is stored of it"`
	Notes  []string `json:"notes,omitempty" doc:"what should be known about it"`
}

// RotateRequest asks for a key in the place of another.
type RotateRequest struct {
	Overlap string `json:"overlap,omitempty" doc:"how long the old key stays live, such as 24h; 0s to 720h, default 24h"`
}

// Role is a named set of permissions.
type Role struct {
	Tenant      string       `json:"tenant" doc:"whose it is"`
	Name        string       `json:"name" doc:"as keys name it"`
	About       string       `json:"about,omitempty" doc:"for people"`
	Permissions []Permission `json:"permissions" doc:"what keys with it may"`
	BuiltIn     bool         `json:"built_in,omitempty" doc:"every tenant has it, and it can't be deleted"`
	CreatedAt   *time.Time   `json:"created_at,omitempty" doc:"when it was made"`
	CreatedBy   string       `json:"created_by,omitempty" doc:"the caller that made it"`
}

// RoleList is the roles of a tenant.
type RoleList struct {
	Items []Role `json:"items" doc:"the roles, built-in ones first"`
}

// RoleRequest asks for a role.
type RoleRequest struct {
	Name        string       `json:"name" doc:"1 to 40 of a-z, 0-9 and -, and none of the built-in ones"`
	About       string       `json:"about,omitempty" doc:"for people"`
	Permissions []Permission `json:"permissions" doc:"what keys with it may; none that the caller has not itself"`
}

// Origin says where the value of a setting comes from.
type Origin string

// The origins, the nearest first.
const (
	OriginApp      Origin = "app"
	OriginTenant   Origin = "tenant"
	OriginPlatform Origin = "platform"
	OriginDefault  Origin = "default" // Belfry's own
)

// Origins lists every origin.
func Origins() []Origin { return []Origin{OriginApp, OriginTenant, OriginPlatform, OriginDefault} }

// APIKeyState says whether a key opens anything.
type APIKeyState string

// The states of a key.
const (
	APIKeyLive    APIKeyState = "live"
	APIKeyExpired APIKeyState = "expired"
	APIKeyRevoked APIKeyState = "revoked"
)

// APIKeyStates lists every state.
func APIKeyStates() []APIKeyState { return []APIKeyState{APIKeyLive, APIKeyExpired, APIKeyRevoked} }

// Scope narrows what a key's role allows.
type Scope string

// The scopes.
const (
	ScopeSend    Scope = "send"
	ScopeDevices Scope = "devices"
	ScopeRead    Scope = "read"
	ScopeReplay  Scope = "replay"
	ScopeAdmin   Scope = "admin"
)

// Scopes lists every scope.
func Scopes() []Scope { return []Scope{ScopeSend, ScopeDevices, ScopeRead, ScopeReplay, ScopeAdmin} }

// Permission is leave to do one kind of thing. Every operation says which one it needs.
type Permission string

// The permissions.
const (
	PermissionSend         Permission = "send"
	PermissionManage       Permission = "manage"
	PermissionRead         Permission = "read"
	PermissionReadPayload  Permission = "read_payload"
	PermissionReadDevices  Permission = "read_devices"
	PermissionWriteDevices Permission = "write_devices"
	PermissionReplay       Permission = "replay"
	PermissionDiscard      Permission = "discard"
	PermissionAudit        Permission = "audit"
	PermissionApprove      Permission = "approve"
	PermissionAdmin        Permission = "admin"
	PermissionPrivacy      Permission = "privacy"
	PermissionPlatform     Permission = "platform"
)

// Permissions lists every permission.
func Permissions() []Permission {
	return []Permission{
		PermissionSend, PermissionManage, PermissionRead, PermissionReadPayload, PermissionReadDevices, PermissionWriteDevices,
		PermissionReplay, PermissionDiscard, PermissionAudit, PermissionApprove, PermissionAdmin, PermissionPrivacy, PermissionPlatform,
	}
}
