package devicetest

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/push"
)

// Around is a device registry whose calls go through Do, which decides what a
// caller gets to see: it may run effect and return its error, run it and return
// another (the answer was lost), not run it (the store is away), or wait before or
// after it. op is the method's name. A nil Do lets all calls pass.
type Around struct {
	device.Store

	Do func(op string, effect func() error) error
}

func (a Around) call(op string, effect func() error) error {
	if a.Do == nil {
		return effect()
	}
	return a.Do(op, effect)
}

// PutDevices implements [device.Store].
func (a Around) PutDevices(ctx context.Context, ds []push.Device) error {
	return a.call("PutDevices", func() error { return a.Store.PutDevices(ctx, ds) })
}

// Device implements [device.Store].
func (a Around) Device(ctx context.Context, tenant string, id push.ID) (d push.Device, err error) {
	err = a.call("Device", func() (err error) { d, err = a.Store.Device(ctx, tenant, id); return err })
	return d, err
}

// ChangeDevice implements [device.Store].
func (a Around) ChangeDevice(
	ctx context.Context, tenant string, id push.ID, change func(d *push.Device) error,
) (d push.Device, err error) {
	err = a.call("ChangeDevice", func() (err error) { d, err = a.Store.ChangeDevice(ctx, tenant, id, change); return err })
	return d, err
}

// DeleteDevice implements [device.Store].
func (a Around) DeleteDevice(ctx context.Context, tenant string, id push.ID) error {
	return a.call("DeleteDevice", func() error { return a.Store.DeleteDevice(ctx, tenant, id) })
}

// Devices implements [device.Store].
func (a Around) Devices(ctx context.Context, tenant, userID, cursor string, limit int) (page []push.Device, next string, err error) {
	err = a.call("Devices", func() (err error) {
		page, next, err = a.Store.Devices(ctx, tenant, userID, cursor, limit)
		return err
	})
	return page, next, err
}

// DevicesByAddress implements [device.Store].
func (a Around) DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (found map[push.Address]push.Device, err error) {
	err = a.call("DevicesByAddress", func() (err error) { found, err = a.Store.DevicesByAddress(ctx, tenant, as); return err })
	return found, err
}

// ReachByAddress implements [device.Store].
func (a Around) ReachByAddress(ctx context.Context, tenant string, as []push.Address) (found map[push.Address]push.Reach, err error) {
	err = a.call("ReachByAddress", func() (err error) { found, err = a.Store.ReachByAddress(ctx, tenant, as); return err })
	return found, err
}

// DevicesByUser implements [device.Store].
func (a Around) DevicesByUser(ctx context.Context, tenant string, users []string) (found map[string][]push.Device, err error) {
	err = a.call("DevicesByUser", func() (err error) { found, err = a.Store.DevicesByUser(ctx, tenant, users); return err })
	return found, err
}

// DevicesByID implements [device.Store].
func (a Around) DevicesByID(ctx context.Context, tenant string, ids []push.ID) (found map[push.ID]push.Device, err error) {
	err = a.call("DevicesByID", func() (err error) { found, err = a.Store.DevicesByID(ctx, tenant, ids); return err })
	return found, err
}

// RecordDevices implements [device.Store].
func (a Around) RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	return a.call("RecordDevices", func() error { return a.Store.RecordDevices(ctx, tenant, notes) })
}

// NoteDevices implements [device.Store].
func (a Around) NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) (quarantined []push.Device, err error) {
	err = a.call("NoteDevices", func() (err error) { quarantined, err = a.Store.NoteDevices(ctx, tenant, notes); return err })
	return quarantined, err
}

// RestoreDevice implements [device.Store].
func (a Around) RestoreDevice(ctx context.Context, tenant string, id push.ID) (d push.Device, err error) {
	err = a.call("RestoreDevice", func() (err error) { d, err = a.Store.RestoreDevice(ctx, tenant, id); return err })
	return d, err
}

// PurgeQuarantined implements [device.Store].
func (a Around) PurgeQuarantined(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = a.call("PurgeQuarantined", func() (err error) { n, err = a.Store.PurgeQuarantined(ctx, before, limit); return err })
	return n, err
}
