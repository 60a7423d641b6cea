package describe

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
)

// settingsPatch is a schema of its own: in a patch, a setting may be null.
const settingsPatch = "SettingsPatch"

const sampleKeyID = "7k2m9x4c1q0z"

// settingsSchemas are those of settings whose fields may be null.
func settingsSchemas() map[string]*huma.Schema {
	s := huma.SchemaFromType(huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer), reflect.TypeFor[client.Settings]())
	for _, p := range s.Properties {
		p.Nullable = true
	}
	return map[string]*huma.Schema{settingsPatch: s}
}

// tenantSamples are bodies of tenants and what belongs to them.
func tenantSamples() []any {
	settings := client.Settings{TTL: new(int64(3600)), Weight: new(int64(3)), NotificationsPerMinute: new(int64(6000))}
	tenant := client.Tenant{
		Name: "acme", About: "Acme Corp", Settings: settings, CreatedAt: new(sampleTime(0)), CreatedBy: "key:9f86d081",
		UpdatedAt: new(sampleTime(0)),
	}
	app := client.App{
		Tenant: "acme", Name: "shop", About: "the shop's app", Settings: client.Settings{TTL: new(int64(900))}, CreatedAt: new(sampleTime(1)),
		CreatedBy: "key:9f86d081", UpdatedAt: new(sampleTime(1)),
	}
	key := client.APIKey{
		ID: sampleKeyID, Tenant: "acme", App: "shop", Name: "checkout service", Env: "live", Role: access.RoleSender,
		Networks: []string{"203.0.113.0/24"}, State: client.APIKeyLive, CreatedAt: sampleTime(2), CreatedBy: "key:9f86d081",
	}
	role := client.Role{
		Tenant: "acme", Name: "support", About: "looks things up", Permissions: []client.Permission{
			client.PermissionRead, client.PermissionReadPayload,
		}, CreatedAt: new(sampleTime(3)), CreatedBy: "key:9f86d081",
	}
	effective := access.Inherit(access.Settings{}, access.Settings{Weight: settings.Weight}, access.Settings{TTL: app.Settings.TTL})
	from := map[string]client.Origin{}
	for name, origin := range effective.From {
		from[name] = client.Origin(origin)
	}
	return []any{
		tenant,
		client.TenantList{Items: []client.Tenant{tenant}},
		client.TenantRequest{Name: "acme", About: "Acme Corp", Settings: settings},
		client.TenantPatch{Settings: map[string]any{"weight": 5, "ttl": nil}},
		client.PlatformSettings{Settings: settings, UpdatedAt: new(sampleTime(4)), UpdatedBy: "key:9f86d081"},
		client.PlatformRequest{Settings: settings},
		app,
		client.AppList{Items: []client.App{app}},
		client.AppRequest{Name: "shop", About: "the shop's app", Settings: app.Settings},
		client.AppPatch{About: new("the shop's app"), Settings: map[string]any{"ttl": 900}},
		client.Configuration{Tenant: "acme", App: "shop", Settings: sampleEffective(&effective), From: from},
		key,
		client.APIKeyList{Items: []client.APIKey{key}},
		client.APIKeyRequest{App: "shop", Name: "checkout service", Role: access.RoleSender, Networks: key.Networks},
		client.NewAPIKey{
			Key: "blf_live_" + sampleKeyID + "_…", APIKey: key, Notes: []string{"Requests without a key are refused."},
		},
		client.RotateRequest{Overlap: "24h"},
		client.SigningRequest{Required: true},
		client.SigningSecret{Secret: "whsec_…", APIKey: key}, //nolint:gosec // a sample
		role,
		client.RoleList{Items: []client.Role{role}},
		client.RoleRequest{Name: role.Name, About: role.About, Permissions: role.Permissions},
	}
}

func sampleEffective(e *access.Effective) client.Settings {
	return client.Settings{
		TTL: e.TTL, Priority: new(client.PriorityNormal), Guarantee: new(client.AtLeastOnce), MaxAttempts: e.MaxAttempts, KeepDays: e.KeepDays,
		Weight: e.Weight, RequestsPerSecond: e.RequestsPerSecond, NotificationsPerMinute: e.NotificationsPerMinute,
		RecipientsPerDay: e.RecipientsPerDay, QueuedRecipients: e.QueuedRecipients, OverQuota: new(string(*e.OverQuota)),
		KeyRequestsPerSecond: e.KeyRequestsPerSecond, ApproveReplayOver: e.ApproveReplayOver, ApproveDiscardOver: e.ApproveDiscardOver,
		ApproveCredentialChange: e.ApproveCredentialChange, RequireSigned: e.RequireSigned,
	}
}
