package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// deviceItems are items of the table of devices by their keys.
type deviceItems map[[2]string]item

func (m deviceItems) at(key item) item { return m[[2]string{key.text(attrPK), key.text(attrSK)}] }

// deviceItems reads any number of items; keys may repeat.
func (s *Store) deviceItems(ctx context.Context, keys []item, consistent bool) (deviceItems, error) {
	found, err := s.batchGet(ctx, s.devices, keys, consistent)
	if err != nil {
		return nil, err
	}
	out := make(deviceItems, len(found))
	for _, i := range found {
		out[[2]string{i.text(attrPK), i.text(attrSK)}] = i
	}
	return out, nil
}

// unlessLost passes any error on but that a condition did not hold.
func unlessLost(err error) error {
	if _, ok := errors.AsType[*lost](err); ok {
		return nil
	}
	return err
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

// locate follows the pointer of an id. Without a device it returns
// push.ErrNotFound, and the pointer if there is one.
func (s *Store) locate(ctx context.Context, tenant string, id push.ID) (pointer, device item, err error) {
	if pointer, err = s.get(ctx, s.devices, pointerKey(tenant, id)); err != nil {
		return nil, nil, err
	}
	if pointer == nil {
		return nil, nil, push.ErrNotFound
	}
	if device, err = s.get(ctx, s.devices, deviceKey(pointer.text(attrAddress))); err != nil {
		return nil, nil, err
	}
	if device.text(attrID) != string(id) {
		return pointer, nil, push.ErrNotFound
	}
	return pointer, device, nil
}

// DeleteDevice removes a device, or returns push.ErrNotFound. The device goes
// first, then its pointer, which alone counts as absent. A registration of the
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
	var e expression
	e.equal(attrID, text(string(id)))
	e.equal(attrBind, device[attrBind])
	if err := s.removeIf(ctx, device.key(attrPK, attrSK), e); err != nil {
		return err
	}
	var p expression
	p.equal(attrAddress, pointer[attrAddress])
	p.equal(attrBind, pointer[attrBind])
	return s.removeIf(ctx, pointer.key(attrPK, attrSK), p)
}

// RestoreDevice makes a quarantined device active again.
func (s *Store) RestoreDevice(ctx context.Context, tenant string, id push.ID) (push.Device, error) {
	_, found, err := s.locate(ctx, tenant, id)
	var d push.Device
	if err == nil {
		d, _, err = s.changeDevice(ctx, found, func(d *push.Device) bool {
			if d.State == push.DeviceActive {
				return false
			}
			d.State, d.QuarantinedAt = push.DeviceActive, time.Time{}
			return true
		})
	}
	if err == nil && d.ID != id {
		err = push.ErrNotFound // somebody else took the address meanwhile
	}
	if err != nil {
		return push.Device{}, fmt.Errorf("restore device %s: %w", id, err)
	}
	return d, nil
}

// changeDevice applies change to a device and stores it, starting over with
// what is stored while others are faster. It returns the device as it is now,
// the zero one if it is gone, and whether this call changed it. change returns
// false to leave the device alone and may run several times.
func (s *Store) changeDevice(ctx context.Context, i item, change func(*push.Device) bool) (push.Device, bool, error) {
	w := s.newNonce()
	for range conflictTries {
		d, err := decodeDevice(i)
		if err != nil || !change(&d) {
			return d, false, err
		}
		var e expression
		e.equal(attrWrite, i[attrWrite])
		_, err = s.put(ctx, s.devices, encodeDevice(&d, i.nonceAt(attrBind), w), e, false)
		if err == nil {
			return d, true, nil
		}
		if i, err = s.winner(ctx, err); err != nil {
			return push.Device{}, false, err
		}
		if i.nonceAt(attrWrite) == w {
			return d, true, nil // our own write, whose answer got lost
		}
		if i == nil {
			return push.Device{}, false, nil
		}
	}
	return push.Device{}, false, push.ErrConflict
}
