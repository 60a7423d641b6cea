// Package device is the registry room: which app instances exist, whose they
// are, and whether they are sent to. It validates and normalises registrations;
// stores keep them.
package device

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Store is the device registry. Implementations are safe for concurrent use by
// several processes; every successful write is durable. (tenant, id) and
// (tenant, address) are unique. Lookups never fail for what is not there.
type Store interface {
	// PutDevices creates or replaces registrations (full state; up to 1000). It
	// keeps CreatedAt and the last success and failure of an existing device, makes it active,
	// and removes another device of the tenant that held the same address.
	PutDevices(ctx context.Context, ds []push.Device) error
	// Device returns one device, or push.ErrNotFound.
	Device(ctx context.Context, tenant string, id push.ID) (push.Device, error)
	// ChangeDevice applies change to a device as it is stored, and stores what that makes of
	// it, whatever others write at the same time: change may run several times. It must leave
	// tenant, id, address and history alone. Its error ends the call and is returned, with
	// nothing changed. A device that is not there is push.ErrNotFound.
	ChangeDevice(ctx context.Context, tenant string, id push.ID, change func(d *push.Device) error) (push.Device, error)
	// DeleteDevice removes a device, or returns push.ErrNotFound.
	DeleteDevice(ctx context.Context, tenant string, id push.ID) error
	// Devices lists a tenant's devices by id, all or one user's. cursor is "" or
	// what the last call returned; "" comes back at the end. limit is 1..1000.
	Devices(ctx context.Context, tenant, userID, cursor string, limit int) ([]push.Device, string, error)

	// DevicesByAddress returns the devices among up to 1000 addresses.
	DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Device, error)
	// ReachByAddress returns what a send must know of the devices among up to 1000
	// addresses. It is a cheaper DevicesByAddress, because it is called for every
	// recipient.
	ReachByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error)
	// DevicesByUser returns all devices of up to 1000 users, by user. A put, a deletion and
	// a move show at once, even if an index trails: a user must be reached on the device
	// that has just been registered.
	DevicesByUser(ctx context.Context, tenant string, users []string) (map[string][]push.Device, error)
	// DevicesByID returns the devices among up to 1000 ids.
	DevicesByID(ctx context.Context, tenant string, ids []push.ID) (map[push.ID]push.Device, error)

	// RecordDevices makes devices of those addresses of any number of notes that are
	// unknown, see [push.DeviceNote.Seen]; the others stay untouched, and of several notes of
	// one address one holds. The id is [push.SeenID]; an address may stay unknown if that is
	// the id of a device at another address. It may be made durable in parts, of which an
	// error leaves some. It lets other writes go first.
	RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error
	// NoteDevices applies up to 1000 notes of sends: last success or failure, and quarantine
	// unless the device was updated after SentAt. An unknown address is skipped, unless its
	// note says to record it: then it becomes a device, as by RecordDevices but in any case,
	// and is quarantined if the note says so. It returns the devices that this call
	// quarantined.
	NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) ([]push.Device, error)
	// RestoreDevice makes a quarantined device active again; restoring an active
	// one changes nothing.
	RestoreDevice(ctx context.Context, tenant string, id push.ID) (push.Device, error)
	// PurgeQuarantined removes up to limit devices quarantined before the given
	// time and returns how many.
	PurgeQuarantined(ctx context.Context, before time.Time, limit int) (int, error)
}
