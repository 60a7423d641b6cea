package push

import "time"

// Platform is the kind of client that registered a device; empty when unknown.
type Platform string

// The platforms that FCM delivers to.
const (
	PlatformAndroid Platform = "android"
	PlatformIOS     Platform = "ios"
	PlatformWeb     Platform = "web"
)

// DeviceState says whether a device is sent to.
type DeviceState string

// The states of a device.
const (
	DeviceActive      DeviceState = "active"
	DeviceQuarantined DeviceState = "quarantined" // its address was called dead or invalid; kept QuarantineKeep, restorable
)

// QuarantineKeep is how long a quarantined device is kept before it is removed.
const QuarantineKeep = 30 * 24 * time.Hour

// DeviceSource says how a device entered the registry.
type DeviceSource string

// The sources of a device record.
const (
	SourceAPI    DeviceSource = "api"    // PUT /v1/devices/{id}
	SourceImport DeviceSource = "import" // POST /v1/devices/import
	SourceSend   DeviceSource = "send"   // first seen as the target of a send
)

// Device is one app instance that can receive notifications. Within a tenant
// both ID and Address are unique: registering an address under a new id takes
// it from the old one, because a token belongs to the app instance that
// presented it last.
type Device struct {
	Tenant     string
	ID         ID
	Address    Address
	Platform   Platform
	UserID     string
	Locale     string // BCP 47, canonical: see [regional.Locale]
	Timezone   string // IANA name, "UTC" or ±hh:mm: see [regional.Zone]
	AppVersion string
	Attributes map[string]string

	State         DeviceState
	QuarantinedAt time.Time // zero unless quarantined
	Source        DeviceSource
	LastSuccessAt time.Time // last time FCM accepted a send; may lag (see SuccessGrain)
	LastFailureAt time.Time
	LastFailure   Code // code of the last failed send, CodeOpen if none
	CreatedAt     time.Time
	UpdatedAt     time.Time // last time its owner changed it
}

// SuccessGrain is how stale Device.LastSuccessAt may be before a send renews
// it. Renewing on each send would cost one write per notification, ten times
// the rest of a bulk send on DynamoDB; a week is fine for telling the living
// from the dead, as FCM itself expires tokens after 270 days.
const SuccessGrain = 7 * 24 * time.Hour

// Sendable reports whether sends to the device are attempted.
func (d *Device) Sendable() bool { return d.State == DeviceActive }

// Reach is what a send must know of a device beforehand.
type Reach struct {
	Sendable      bool      // as [Device.Sendable]
	LastSuccessAt time.Time // as [Device.LastSuccessAt]
	Platform      Platform  // as [Device.Platform]
}

// DeviceNote is what a send taught about a device.
type DeviceNote struct {
	Address Address
	Code    Code      // CodeSent or why it failed
	At      time.Time // of FCM's answer
	// SentAt is when the request was made: a device that its owner renewed after
	// that is not quarantined, the answer was about its past.
	SentAt     time.Time
	Quarantine bool
	// Record asks to remember an address that the registry does not know.
	Record bool
}

// Seen returns the device that a note makes of an address that the registry does not
// know, without its id. Nothing is known of its owner, so it counts as renewed when it was
// sent to.
func (n *DeviceNote) Seen(tenant string) Device {
	d := Device{
		Tenant: tenant, Address: n.Address, State: DeviceActive, Source: SourceSend, CreatedAt: n.SentAt, UpdatedAt: n.SentAt,
	}
	n.Apply(&d)
	return d
}

// Apply changes d as the note says, and reports whether that changed anything.
// Answers may come out of order: an older one does not replace a newer one's.
func (n *DeviceNote) Apply(d *Device) (changed bool) {
	switch {
	case n.Code == CodeSent && n.At.After(d.LastSuccessAt):
		d.LastSuccessAt, changed = n.At, true
	case n.Code != CodeSent && n.At.After(d.LastFailureAt):
		d.LastFailureAt, d.LastFailure, changed = n.At, n.Code, true
	}
	if n.Quarantine && d.State == DeviceActive && !d.UpdatedAt.After(n.SentAt) {
		d.State, d.QuarantinedAt, changed = DeviceQuarantined, n.At, true
	}
	return changed
}
