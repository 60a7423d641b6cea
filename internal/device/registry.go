package device

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// Writer is the part of [Store] that changes registrations.
type Writer interface {
	// PutDevices creates or replaces registrations (full state; up to 1000).
	PutDevices(ctx context.Context, ds []push.Device) error
	// DeleteDevice removes a device, or returns push.ErrNotFound.
	DeleteDevice(ctx context.Context, tenant string, id push.ID) error
	// RestoreDevice makes a quarantined device active again.
	RestoreDevice(ctx context.Context, tenant string, id push.ID) (push.Device, error)
}

// Finder is the part of [Store] that finds registrations.
type Finder interface {
	// Device returns one device, or push.ErrNotFound.
	Device(ctx context.Context, tenant string, id push.ID) (push.Device, error)
	// Devices lists a tenant's devices by id, all or one user's.
	Devices(ctx context.Context, tenant, userID, cursor string, limit int) ([]push.Device, string, error)
	// DevicesByAddress returns the devices among up to 1000 addresses.
	DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Device, error)
}

// Config is what the room is built from. A [Store] is a Writer and a Finder.
type Config struct {
	Writer  Writer
	Finder  Finder
	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
}

// Registry is the room: one tenant's devices as its owner sees them. Safe for
// concurrent use.
type Registry struct {
	cfg   Config
	zones *zones
}

// New returns the room.
func New(cfg Config) *Registry { return &Registry{cfg: cfg, zones: newZones()} }

// Put creates or replaces a device: d is its full state. It becomes active, and
// takes its address from any other device of the tenant. It returns the device
// as stored. Errors are [push.Faults] or the store's.
func (r *Registry) Put(ctx context.Context, tenant string, d push.Device) (push.Device, error) {
	faults := r.check(&d)
	if why := push.CheckDeviceID(string(d.ID)); why != "" {
		faults = append(faults, push.Fault{Pointer: "/id", Code: push.FaultValue, Detail: why})
	}
	if len(faults) > 0 {
		return push.Device{}, faults
	}
	d = r.stamp(tenant, push.SourceAPI, d)
	if err := r.cfg.Writer.PutDevices(ctx, []push.Device{d}); err != nil {
		return push.Device{}, fmt.Errorf("register a device: %w", err)
	}
	r.cfg.Metrics.api.Inc()
	return r.Get(ctx, tenant, d.ID) // its creation and history are the store's to keep
}

// stamp returns d as it is handed to a store.
func (r *Registry) stamp(tenant string, source push.DeviceSource, d push.Device) push.Device {
	now := r.cfg.Now().UTC()
	return push.Device{
		Tenant: tenant, ID: d.ID, Address: d.Address, Platform: d.Platform, UserID: d.UserID, Locale: d.Locale,
		Timezone: d.Timezone, AppVersion: d.AppVersion, Attributes: d.Attributes,
		State: push.DeviceActive, Source: source, CreatedAt: now, UpdatedAt: now,
	}
}

// check returns what decoding can't see: that the time zone exists, and, of a
// device that was not decoded, that there is an address.
func (r *Registry) check(d *push.Device) push.Faults {
	var faults push.Faults
	if !d.Address.Kind.IsDevice() {
		faults = append(faults, push.Fault{Code: push.FaultMissing, Detail: "must have token or fid: where to send to"})
	} else if why := push.CheckAddress(d.Address.Kind, d.Address.Value.Reveal()); why != "" {
		faults = append(faults, push.Fault{Pointer: "/" + string(d.Address.Kind), Code: push.FaultValue, Detail: why})
	}
	if d.Timezone != "" && !r.zones.known(d.Timezone) {
		faults = append(faults, push.Fault{
			Pointer: "/timezone", Code: push.FaultValue, Detail: "the IANA time zone database has no zone of this name; names are case-sensitive, as in \"Europe/Berlin\"",
		})
	}
	return faults
}

// Get returns one device, or push.ErrNotFound.
func (r *Registry) Get(ctx context.Context, tenant string, id push.ID) (push.Device, error) {
	d, err := r.cfg.Finder.Device(ctx, tenant, id)
	if err != nil {
		return push.Device{}, fmt.Errorf("device %s: %w", id, err)
	}
	return d, nil
}

// Delete removes a device, or returns push.ErrNotFound. A send to its address
// may record it anew.
func (r *Registry) Delete(ctx context.Context, tenant string, id push.ID) error {
	if err := r.cfg.Writer.DeleteDevice(ctx, tenant, id); err != nil {
		return fmt.Errorf("delete device %s: %w", id, err)
	}
	return nil
}

// Restore ends a device's quarantine; it changes nothing about an active one.
// It returns the device, or push.ErrNotFound.
func (r *Registry) Restore(ctx context.Context, tenant string, id push.ID) (push.Device, error) {
	d, err := r.cfg.Writer.RestoreDevice(ctx, tenant, id)
	if err != nil {
		return push.Device{}, fmt.Errorf("restore device %s: %w", id, err)
	}
	return d, nil
}

// List returns up to limit (1..1000; 0 means 100) of a tenant's devices by id,
// or of one user's, and the cursor of the next ones, "" at the end. A cursor
// that is not from here is push.ErrCursor.
func (r *Registry) List(ctx context.Context, tenant, userID, cursor string, limit int) ([]push.Device, string, error) {
	const usual, most = 100, 1000
	if limit <= 0 {
		limit = usual
	}
	ds, next, err := r.cfg.Finder.Devices(ctx, tenant, userID, cursor, min(limit, most))
	if err != nil {
		return nil, "", fmt.Errorf("list devices: %w", err)
	}
	return ds, next, nil
}
