package httpapi

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/auditlog"
	"github.com/belfry-push/belfry/internal/httpapi/console"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/following"
	"github.com/belfry-push/belfry/internal/httpapi/overview"
	"github.com/belfry-push/belfry/internal/httpapi/tenants"
)

// New returns the handler of the whole API. It fails when a field of cfg is
// missing or the door's metrics are registered already.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return door.New(cfg.door(), table(&cfg))
}

// table returns the routes of all resources, in the order of the OpenAPI document.
func table(cfg *Config) []*door.Route {
	rows := deliveries{cfg.Reports}
	intake := acceptance{cfg.Intake, cfg.Previews}
	resources := [][]*door.Route{
		(&notifications{acceptance: intake, reports: cfg.Reports, lifecycle: cfg.Batches, deliveries: rows}).routes(),
		(&batches{acceptance: intake, reports: cfg.Reports, room: cfg.Batches, deliveries: rows}).routes(),
		(&closeups{reports: cfg.Reports, traced: cfg.Tracer != nil}).routes(),
		(&devices{cfg.Devices}).routes(),
		tenants.Routes(cfg.Directory, cfg.Entrance),
		(&credentials{cfg.Credentials, cfg.Directory}).routes(),
		(&pauses{cfg.Pauses, cfg.Directory}).routes(),
		ofAllApps((&breakers{cfg.Breakers}).routes()),
	}
	if cfg.Quotas != nil {
		resources = append(resources, (&limits{cfg.Quotas}).routes())
	}
	if cfg.Letters != nil && cfg.Replays != nil {
		resources = append(resources, ofAllApps(deadletters.Routes(cfg.Letters, cfg.Replays)))
	}
	if cfg.Approvals != nil {
		resources = append(resources, ofAllApps((&approvals{cfg.Approvals}).routes()))
	}
	if cfg.Usage != nil {
		resources = append(resources, consumption{cfg.Usage}.routes())
	}
	resources = append(resources, auditlog.Routes(cfg.AuditLog))
	if cfg.Privacy != nil {
		resources = append(resources, (&privacyRequests{cfg.Privacy}).routes())
	}
	if cfg.Status != nil {
		resources = append(resources, ofAllApps(overview.Routes(cfg.Status)))
	}
	if cfg.Events != nil {
		resources = append(resources, following.Routes(cfg.Events))
	}
	ops := operators{health: cfg.Health, registry: cfg.Registry, log: cfg.Log, version: cfg.Version}
	resources = append(resources, console.Routes(groupOperators, cfg.Version), ops.routes())
	return ofItsApp(cfg.Ledger, slices.Concat(resources...))
}

// The groups by which the document shows routes.
const (
	groupNotifications = describe.GroupNotifications
	groupBatches       = describe.GroupBatches
	groupDevices       = describe.GroupDevices
	groupPrivacy       = describe.GroupPrivacy
	groupApps          = describe.GroupApps
	groupPauses        = describe.GroupPauses
	groupOperators     = describe.GroupOperators
)

// about is what the document says beside the routes.
func about(cfg *Config) *door.About {
	a := describe.API(cfg.Version, cfg.Letters != nil && cfg.Replays != nil, cfg.Privacy != nil)
	a.Samples[reflect.TypeFor[event]()] = event{
		SpecVersion: "1.0", ID: "order-1042", Source: "/shop/orders", Type: client.EventRequested, DataContentType: door.TypeJSON,
		Data: describe.SampleRequest(),
	}
	a.Samples[reflect.TypeFor[recipient]()] = recipient{ //nolint:gosec // a sample
		Token: "fcm-token-1", Data: map[string]string{"name": "Ada"}, Locale: "en-GB",
		Notification: &recipientTexts{Title: "Hello Ada"}, Badge: new(int32(3)),
	}
	return a
}
