package devices

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	deleteDevice = `DELETE FROM device WHERE tenant = ? AND id = ?`
	insertDevice = `INSERT INTO device (tenant, id, address_key, user_id, quarantined_at, body) VALUES (?, ?, ?, ?, ?, ?) `
	// updateDevice leaves the indexed columns alone, and with them the indexes.
	updateDevice = `UPDATE device SET quarantined_at = ?, body = ? WHERE tenant = ? AND id = ?`
)

// deviceKey names a device among those of all tenants.
type deviceKey struct {
	tenant string
	id     push.ID
}

func keyOf(d *push.Device) deviceKey { return deviceKey{d.Tenant, d.ID} }

// PutDevices creates or replaces registrations, in the given order, in one
// transaction. An address that another device of the tenant held is taken from
// it: that device is removed.
func (s *Store) PutDevices(ctx context.Context, ds []push.Device) error {
	if len(ds) == 0 {
		return nil
	}
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		r := registry{
			before: map[deviceKey]push.Device{}, seen: map[deviceKey]int64{}, now: map[deviceKey]push.Device{},
			holder: map[tenantAddress]push.ID{},
		}
		if err := r.load(ctx, tx, ds); err != nil {
			return err
		}
		for i := range ds {
			r.register(ds[i])
		}
		return r.store(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("put %d devices: %w", len(ds), err)
	}
	return nil
}

type tenantAddress struct {
	tenant  string
	address push.Address
}

// A registry is the part of the stored one that a batch of registrations
// touches: read at once, changed in memory, written back. It belongs to one
// transaction, so nobody else changes that part meanwhile.
type registry struct {
	before, now map[deviceKey]push.Device
	seen        map[deviceKey]int64       // rows of those that only sends knew before
	holder      map[tenantAddress]push.ID // who has an address now
}

// load reads the devices that have an id or an address of the batch.
func (r *registry) load(ctx context.Context, tx *sql.Tx, ds []push.Device) error {
	ids, addresses := map[string][]push.ID{}, map[string][]push.Address{}
	for i := range ds {
		tenant := ds[i].Tenant
		ids[tenant] = append(ids[tenant], ds[i].ID)
		addresses[tenant] = append(addresses[tenant], ds[i].Address)
	}
	keep := func(d push.Device) {
		r.before[keyOf(&d)], r.now[keyOf(&d)] = d, d
		r.holder[tenantAddress{d.Tenant, d.Address}] = d.ID
	}
	keepSeen := func(d seenRow) {
		r.seen[keyOf(&d.Device)] = d.seq
		keep(d.Device)
	}
	for tenant := range ids {
		if err := seenByID(ctx, tx, tenant, ids[tenant], keepSeen); err != nil {
			return err
		}
		seen, err := seenByAddress(ctx, tx, tenant, addresses[tenant])
		if err != nil {
			return err
		}
		for _, d := range seen {
			keepSeen(d)
		}
		if err := registeredByID(ctx, tx, tenant, ids[tenant], keep); err != nil {
			return err
		}
		holders, err := registeredByAddress(ctx, tx, tenant, addresses[tenant])
		if err != nil {
			return err
		}
		for _, d := range holders {
			keep(d)
		}
	}
	return nil
}

// register applies one registration. What its owner does not know is kept:
// since when there is the device, and how its last sends went.
func (r *registry) register(d push.Device) {
	key, address := keyOf(&d), tenantAddress{d.Tenant, d.Address}
	if former, ok := r.holder[address]; ok && former != d.ID {
		delete(r.now, deviceKey{d.Tenant, former})
	}
	if old, ok := r.now[key]; ok {
		d.CreatedAt = old.CreatedAt
		d.LastSuccessAt, d.LastFailureAt, d.LastFailure = old.LastSuccessAt, old.LastFailureAt, old.LastFailure
		delete(r.holder, tenantAddress{d.Tenant, old.Address})
	}
	d.State = push.DeviceActive
	r.now[key], r.holder[address] = d, d.ID
}

// store writes the differences. What is removed goes first, so that a mark on the id of a
// device that moves finds its place free.
func (r *registry) store(ctx context.Context, tx *sql.Tx) error {
	for key, old := range r.before {
		d, stays := r.now[key]
		seq, seen := r.seen[key]
		var err error
		switch {
		case seen:
			err = dropSeen(ctx, tx, seq) // who is registered is in the other table
		case !stays:
			err = removeDevice(ctx, tx, key)
		case old.Address != d.Address || old.UserID != d.UserID:
			_, err = tx.ExecContext(ctx, deleteDevice, key.tenant, key.id)
		}
		if err != nil {
			return err
		}
	}
	for key, d := range r.now {
		old, existed := r.before[key]
		_, seen := r.seen[key]
		var err error
		if existed && !seen && old.Address == d.Address && old.UserID == d.UserID {
			err = changeDevice(ctx, tx, &d)
		} else {
			err = addDevice(ctx, tx, &d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeDevice removes a registered device and frees its id.
func removeDevice(ctx context.Context, tx *sql.Tx, key deviceKey) error {
	if _, err := tx.ExecContext(ctx, deleteDevice, key.tenant, key.id); err != nil {
		return err
	}
	return freeID(ctx, tx, key.tenant, key.id)
}

func addDevice(ctx context.Context, tx *sql.Tx, d *push.Device) error {
	_, err := tx.ExecContext(ctx, insertDevice, d.Tenant, d.ID, addressKey(d.Tenant, d.Address), d.UserID, quarantinedAt(d), encodeDevice(d))
	if err != nil {
		return err
	}
	return takeID(ctx, tx, d)
}

func changeDevice(ctx context.Context, tx *sql.Tx, d *push.Device) error {
	_, err := tx.ExecContext(ctx, updateDevice, quarantinedAt(d), encodeDevice(d), d.Tenant, d.ID)
	return err
}
