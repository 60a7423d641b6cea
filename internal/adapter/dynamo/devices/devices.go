package devices

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the DynamoDB driver of the device registry. It is
// safe for concurrent use by any number of goroutines and processes; every write is
// durable when it returns.
type Store struct {
	db *table.Client

	devices, config string // table names

	// aside are the tenants of which look-ups by address begin among registered devices,
	// because the last one found more there.
	aside      sync.Map
	registered sync.Map // tenants, see hasRegistered
}

// New returns the driver on the tables whose names begin with prefix.
func New(db *table.Client, prefix string) *Store {
	return &Store{db: db, devices: prefix + suffixDevices, config: prefix + table.SuffixConfig}
}

// deviceItems are items of the table of devices by their keys.
type deviceItems map[[2]string]table.Item

func (m deviceItems) at(key table.Item) table.Item {
	return m[[2]string{key.Text(table.AttrPK), key.Text(table.AttrSK)}]
}

// deviceItems reads any number of items; keys may repeat.
func (s *Store) deviceItems(ctx context.Context, keys []table.Item, consistent bool) (deviceItems, error) {
	found, err := s.db.BatchGet(ctx, s.devices, keys, consistent)
	if err != nil {
		return nil, err
	}
	out := make(deviceItems, len(found))
	for _, i := range found {
		out[[2]string{i.Text(table.AttrPK), i.Text(table.AttrSK)}] = i
	}
	return out, nil
}

// Device returns one device, or push.ErrNotFound.
func (s *Store) Device(ctx context.Context, tenant string, id push.ID) (push.Device, error) {
	_, found, err := s.locate(ctx, tenant, id)
	var d push.Device
	if err == nil {
		d, err = decodeDevice(found)
	}
	if err != nil {
		return push.Device{}, fmt.Errorf("device %s: %w", id, err)
	}
	return d, nil
}

// locate follows the pointer of an id, or finds the device that only sends know by it.
// Without a device it returns push.ErrNotFound, and the pointer if there is one.
func (s *Store) locate(ctx context.Context, tenant string, id push.ID) (pointer, device table.Item, err error) {
	if pointer, err = s.db.Get(ctx, s.devices, pointerKey(tenant, id)); err != nil {
		return nil, nil, err
	}
	if pointer != nil {
		if device, err = s.db.Get(ctx, s.devices, deviceKey(pointer.Text(attrAddress))); err != nil {
			return nil, nil, err
		}
		if device.Text(table.AttrID) == string(id) {
			return pointer, device, nil
		}
	}
	if _, ok := push.SeenKeyOf(id); ok {
		if device, err = s.db.Get(ctx, s.devices, seenKey(tenant, id)); err != nil {
			return nil, nil, err
		}
		if isSeen(device) {
			return pointer, device, nil
		}
	}
	return pointer, nil, push.ErrNotFound
}

// DeleteDevice removes a device, or returns push.ErrNotFound. The device goes
// first, then its pointer, which alone counts as absent, and its mark. A registration of the
// same device at the same moment comes before or after as a whole.
func (s *Store) DeleteDevice(ctx context.Context, tenant string, id push.ID) error {
	if err := s.deleteDevice(ctx, tenant, id); err != nil {
		return fmt.Errorf("delete device %s: %w", id, err)
	}
	return nil
}

func (s *Store) deleteDevice(ctx context.Context, tenant string, id push.ID) error {
	pointer, device, err := s.locate(ctx, tenant, id)
	if err != nil {
		return err
	}
	marks, err := s.marksOf(ctx, device, true)
	if err != nil {
		return err
	}
	if err := s.vacate(ctx, device.Key(table.AttrPK, table.AttrSK), bound(device), marks); err != nil || isSeen(device) {
		return err
	}
	var p table.Expression
	p.Equal(attrAddress, pointer[attrAddress])
	p.Equal(attrBind, pointer[attrBind])
	return s.removeIf(ctx, pointer.Key(table.AttrPK, table.AttrSK), p)
}

// bound asks that a place holds the device that was read there, whatever was noted about it
// since.
func bound(device table.Item) (e table.Expression) {
	e.Equal(table.AttrID, device[table.AttrID])
	if device.Has(attrBind) {
		e.Equal(attrBind, device[attrBind])
	}
	return e
}

// RestoreDevice makes a quarantined device active again.
func (s *Store) RestoreDevice(ctx context.Context, tenant string, id push.ID) (push.Device, error) {
	d, err := s.changeByID(ctx, tenant, id, func(d *push.Device) bool {
		if d.State == push.DeviceActive {
			return false
		}
		d.State, d.QuarantinedAt = push.DeviceActive, time.Time{}
		return true
	})
	if err != nil {
		return push.Device{}, fmt.Errorf("restore device %s: %w", id, err)
	}
	return d, nil
}

// ChangeDevice applies change to a device, or returns push.ErrNotFound.
func (s *Store) ChangeDevice(ctx context.Context, tenant string, id push.ID, change func(*push.Device) error) (push.Device, error) {
	var refused error
	d, err := s.changeByID(ctx, tenant, id, func(d *push.Device) bool {
		refused = change(d)
		return refused == nil
	})
	if err = cmp.Or(err, refused); err != nil {
		return push.Device{}, fmt.Errorf("change device %s: %w", id, err)
	}
	return d, nil
}

// changeByID applies change to the device of an id, or returns push.ErrNotFound. One that
// was registered meanwhile is looked for where it is now.
func (s *Store) changeByID(ctx context.Context, tenant string, id push.ID, change func(*push.Device) bool) (push.Device, error) {
	for range table.ConflictTries {
		_, found, err := s.locate(ctx, tenant, id)
		if err != nil {
			return push.Device{}, err
		}
		d, _, err := s.changeDevice(ctx, found, func(d *push.Device) bool { return d.ID == id && change(d) })
		switch {
		case err != nil || d.ID == id:
			return d, err
		case !inSeen(found):
			return push.Device{}, push.ErrNotFound // somebody else took the address meanwhile
		}
	}
	return push.Device{}, push.ErrConflict
}

// changeDevice applies change to a device and stores it, starting over with
// what is stored while others are faster. It returns the device as it is now,
// the zero one if it is gone, and whether this call changed it. change returns
// false to leave the device alone and may run several times.
func (s *Store) changeDevice(ctx context.Context, i table.Item, change func(*push.Device) bool) (push.Device, bool, error) {
	var made []table.Nonce
	for range table.ConflictTries {
		// Each try has a nonce of its own: with one for all, somebody who read what the
		// first wrote would take what the second wrote for the same, and undo what came
		// between.
		w := s.db.NewNonce()
		made = append(made, w)
		d, err := decodeDevice(i)
		if err != nil || !change(&d) {
			return d, false, err
		}
		var e table.Expression
		e.Equal(table.AttrWrite, i[table.AttrWrite])
		changed := encodeDevice(&d, i, i.NonceAt(attrBind), w)
		if err := s.noteFresh(ctx, changed, i); err != nil {
			return push.Device{}, false, err
		}
		_, err = s.db.Put(ctx, s.devices, changed, e, false)
		if err == nil {
			return d, true, nil
		}
		if i, err = s.db.Winner(ctx, err); err != nil {
			return push.Device{}, false, err
		}
		if i == nil || inSeen(i) && !isSeen(i) {
			return push.Device{}, false, nil
		}
		if slices.Contains(made, i.NonceAt(table.AttrWrite)) { // our own write, whose answer got lost
			d, err := decodeDevice(i)
			return d, err == nil, err
		}
	}
	return push.Device{}, false, push.ErrConflict
}
