package httpapi

import (
	"context"
	"io"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Intake accepts send requests, and deduplicates them by their key.
type Intake interface {
	// Accept returns push.Faults for a bad body and ingest.ErrKeyReused for a key
	// that came with another body before.
	Accept(ctx context.Context, s ingest.Submission) (ingest.Accepted, error)
}

// Previews say whom a notification that is only checked would go to.
type Previews interface {
	// Preview stores nothing. It returns push.Faults for a target that cannot be planned.
	Preview(ctx context.Context, n *push.Notification) (fanout.Preview, error)
}

// Uploads takes the recipients of a batch.
type Uploads interface {
	// Upload reads NDJSON lines until r ends. With an error, the result still
	// says what is durable.
	Upload(ctx context.Context, tenant string, id push.ID, r io.Reader, o batch.Options) (batch.Result, error)
}

// Credentials keeps the FCM credentials of apps.
type Credentials interface {
	// Put checks, seals and stores one; see [credential.Room.Put] for its errors.
	Put(ctx context.Context, u credential.Upload) (credential.Credential, error)
	Get(ctx context.Context, ref credential.Ref) (credential.Credential, error)
	Delete(ctx context.Context, ref credential.Ref) error
	List(ctx context.Context, tenant, cursor string, limit int) ([]credential.Credential, string, error)
}

// Lifecycle moves a batch, and resumes and cancels a notification too. An operation that
// is illegal in the present state is a *push.StateError.
type Lifecycle interface {
	Start(ctx context.Context, tenant string, id push.ID) (push.Notification, error)
	StartEarly(ctx context.Context, tenant string, id push.ID) (push.Notification, error)
	Pause(ctx context.Context, tenant string, id push.ID) (push.Notification, error)
	Resume(ctx context.Context, tenant string, id push.ID) (push.Notification, error)
	ResumeUnbraked(ctx context.Context, tenant string, id push.ID) (push.Notification, error)
	Cancel(ctx context.Context, tenant string, id push.ID) (push.Notification, error)
}

// Batches is what the door uses of the batch room.
type Batches interface {
	Uploads
	Lifecycle
}

// Registrations are single devices. What does not exist is push.ErrNotFound.
type Registrations interface {
	Put(ctx context.Context, tenant string, d push.Device) (device.Stored, error)
	Patch(ctx context.Context, tenant string, id push.ID, p push.DevicePatch) (device.Stored, error)
	Get(ctx context.Context, tenant string, id push.ID) (push.Device, error)
	Delete(ctx context.Context, tenant string, id push.ID) error
	Restore(ctx context.Context, tenant string, id push.ID) (push.Device, error)
}

// Listing reads and writes many devices.
type Listing interface {
	List(ctx context.Context, tenant, userID, cursor string, limit int) ([]push.Device, string, error)
	// Import reads NDJSON devices until body ends. With an error, the result
	// still says what was imported.
	Import(ctx context.Context, tenant string, body io.Reader) (device.ImportResult, error)
}

// Devices is what the door uses of the registry room.
type Devices interface {
	Registrations
	Listing
}

// Reports answers how notifications and their deliveries stand. A cursor that no listing
// returned is push.ErrCursor; "" is the beginning and the end.
type Reports interface {
	Notification(ctx context.Context, tenant string, id push.ID) (report.View, error)
	// Notifications lists those that the search chooses, newest first.
	Notifications(ctx context.Context, tenant string, s report.Search, cursor string, limit int) ([]report.View, string, error)
	Deliveries(ctx context.Context, tenant string, id push.ID, f report.Filter, cursor string, limit int) ([]report.Delivery, string, error)
	// Invalid lists the upload lines of a batch that were refused.
	Invalid(ctx context.Context, tenant string, id push.ID, cursor string, limit int) ([]report.Invalid, string, error)
	Closeups
}

// Closeups return one thing in detail: a notification while it is sent, and a delivery.
type Closeups interface {
	// Watch follows a notification from the revision that was seen last, 0 for
	// none, or returns report.ErrStopped.
	Watch(ctx context.Context, tenant string, id push.ID, seen int64) (*report.Watch, error)
	Trace(ctx context.Context, tenant string, id push.ID, key report.Key) (report.Trace, error)
	Chosen(ctx context.Context, tenant string, id push.ID, what report.Choice, limit int) (report.Trace, error)
}

// Ledger has notifications as they were accepted.
type Ledger interface {
	// Notification returns a notification, or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
}

// Health answers the two questions of an orchestrator.
type Health interface {
	Live() telemetry.Report
	Ready(ctx context.Context) telemetry.Report
}

// Pauses stop sending until they are lifted.
type Pauses interface {
	// Add returns the pause that stands then; made is false if it stood before. The error may be push.Faults.
	Add(ctx context.Context, asked pause.Pause) (stands pause.Pause, made bool, err error)
	All(ctx context.Context) ([]pause.Pause, error)
	// Remove lifts a pause, if may allows it, or returns push.ErrNotFound.
	Remove(ctx context.Context, id push.ID, may func(*pause.Pause) error) error
}

// Tenants knows the tenants and their apps. An error of Tenant and App is push.ErrNotFound if it is not there.
type Tenants interface {
	Tenant(ctx context.Context, name string) (access.Tenant, error)
	Tenants(ctx context.Context, cursor string, limit int) ([]access.Tenant, string, error)
	App(ctx context.Context, tenant, app string) (access.App, error)
	Apps(ctx context.Context, tenant string) ([]access.App, error)
}

var (
	_ Tenants  = (*access.Directory)(nil)
	_ Pauses   = (*pause.Pauses)(nil)
	_ Intake   = (*ingest.Intake)(nil)
	_ Previews = (*fanout.Previewer)(nil)
	_ Batches  = (*batch.Batches)(nil)
	_ Devices  = (*device.Registry)(nil)
	_ Reports  = (*report.Reader)(nil)
	_ Health   = (*telemetry.Health)(nil)
)
