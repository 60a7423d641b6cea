package device

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// Writer is the part of [Store] that changes registrations.
type Writer interface {
	// PutDevices creates or replaces registrations (full state; up to 1000).
	PutDevices(ctx context.Context, ds []push.Device) error
	// ChangeDevice applies change, which may run several times, to a stored device.
	ChangeDevice(ctx context.Context, tenant string, id push.ID, change func(d *push.Device) error) (push.Device, error)
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

// Consents is told that an app has registered a device itself.
type Consents interface {
	// Consented notes that a device was registered at a time: that is a new consent of a user who
	// was erased before, for what is accepted from then on.
	Consented(ctx context.Context, d *push.Device, at time.Time) error
}

// Config is what the room is built from. A [Store] is a Writer and a Finder.
type Config struct {
	Writer   Writer
	Finder   Finder
	Consents Consents // nil: nobody is told
	Log      *zap.Logger
	Metrics  *Metrics
	Now      func() time.Time
}

// Registry is the room: one tenant's devices as its owner sees them. Safe for
// concurrent use.
type Registry struct{ cfg Config }

// New returns the room.
func New(cfg Config) *Registry { return &Registry{cfg: cfg} }

// Stored is a registration as it has been stored.
type Stored struct {
	Device   push.Device
	Warnings push.Faults // what was left out of it: see push.Device.Normalize
	// MovedFrom is the device that had the address just before, and is removed; "" if
	// none had.
	MovedFrom push.ID
}

// Put creates or replaces a device: d is its full state. It becomes active, and
// takes its address from any other device of the tenant. Errors are [push.Faults]
// or the store's.
func (r *Registry) Put(ctx context.Context, tenant string, d push.Device) (Stored, error) {
	faults := check(&d)
	if why := push.CheckDeviceID(string(d.ID)); why != "" {
		faults = append(faults, push.Fault{Pointer: "/id", Code: push.FaultValue, Detail: why})
	}
	if len(faults) > 0 {
		return Stored{}, faults
	}
	warnings := d.Normalize()
	from, err := r.holder(ctx, tenant, &d)
	if err != nil {
		return Stored{}, err
	}
	if err := r.cfg.Writer.PutDevices(ctx, []push.Device{r.stamp(tenant, push.SourceAPI, d)}); err != nil {
		return Stored{}, fmt.Errorf("register a device: %w", err)
	}
	if r.cfg.Consents != nil { // after the write: a client that gets no answer does it again
		d.Tenant = tenant
		if err := r.cfg.Consents.Consented(ctx, &d, r.cfg.Now().UTC()); err != nil {
			return Stored{}, fmt.Errorf("register a device: %w", err)
		}
	}
	r.cfg.Metrics.api.Inc()
	stored, err := r.Get(ctx, tenant, d.ID) // its creation and history are the store's to keep
	return Stored{Device: stored, Warnings: warnings, MovedFrom: from}, err
}

// holder returns the device other than d that has d's address now; "" if none has.
func (r *Registry) holder(ctx context.Context, tenant string, d *push.Device) (push.ID, error) {
	found, err := r.cfg.Finder.DevicesByAddress(ctx, tenant, []push.Address{d.Address})
	if err != nil {
		return "", fmt.Errorf("look up who has the address: %w", err)
	}
	if other, there := found[d.Address]; there && other.ID != d.ID {
		return other.ID, nil
	}
	return "", nil
}

// Patch changes a part of a device, or returns push.ErrNotFound. Other errors are
// [push.Faults] or the store's.
//
// Patches of different fields may meet: none undoes another. A patch that gives the
// device another address is a [Registry.Put] of what the device was a moment before,
// so a change in that moment is undone.
func (r *Registry) Patch(ctx context.Context, tenant string, id push.ID, p push.DevicePatch) (Stored, error) {
	if p.Address != nil {
		before, err := r.Get(ctx, tenant, id)
		if err != nil {
			return Stored{}, err
		}
		if *p.Address != before.Address {
			return r.move(ctx, before, p)
		}
	}
	var warnings push.Faults
	stored, err := r.cfg.Writer.ChangeDevice(ctx, tenant, id, func(d *push.Device) (err error) {
		warnings, err = r.patched(d, &p)
		return err
	})
	if err != nil {
		return Stored{}, fmt.Errorf("change device %s: %w", id, err)
	}
	r.cfg.Metrics.api.Inc()
	return Stored{Device: stored, Warnings: warnings}, nil
}

// patched applies p to d. Warnings are of what p gives, because the rest of d was
// understood when it came.
func (r *Registry) patched(d *push.Device, p *push.DevicePatch) (warnings push.Faults, err error) {
	now := r.cfg.Now().UTC()
	p.Apply(d, now)
	d.Source, d.UpdatedAt = push.SourceAPI, now
	if n := len(d.Attributes); n > request.MaxAttributes {
		return nil, push.Faults{{
			Pointer: "/attributes", Code: push.FaultTooLarge,
			Detail: fmt.Sprintf("must have at most %d attributes (%d with those that the device has)", request.MaxAttributes, n),
		}}
	}
	return d.Normalize(), nil
}

// move gives a device another address, and changes what else p says.
func (r *Registry) move(ctx context.Context, d push.Device, p push.DevicePatch) (Stored, error) {
	warnings, err := r.patched(&d, &p)
	if err != nil {
		return Stored{}, err
	}
	stored, err := r.Put(ctx, d.Tenant, d)
	stored.Warnings = warnings
	if err != nil || d.State == push.DeviceActive {
		return stored, err
	}
	stored.Device, err = r.cfg.Writer.ChangeDevice(ctx, d.Tenant, d.ID, func(now *push.Device) error {
		now.State, now.QuarantinedAt = d.State, d.QuarantinedAt
		return nil
	})
	return stored, err
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

// check returns the faults of a device that may not have been decoded: a missing address.
func check(d *push.Device) push.Faults {
	var faults push.Faults
	if !d.Address.Kind.IsDevice() {
		faults = append(faults, push.Fault{Code: push.FaultMissing, Detail: "must have token or fid: where to send to"})
	} else if why := push.CheckAddress(d.Address.Kind, d.Address.Value.Reveal()); why != "" {
		faults = append(faults, push.Fault{Pointer: "/" + string(d.Address.Kind), Code: push.FaultValue, Detail: why})
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
// that List did not return is push.ErrCursor.
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
