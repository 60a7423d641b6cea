package devices

import (
	"context"
	"fmt"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// PutDevices creates or replaces registrations. Devices of the batch that share
// neither id nor address are written at once; those that do, in the given order.
//
// A registration of id with address K is up to five writes, in this order:
//
//  0. a note for those who look the user's devices up, if it is new to the user
//  1. the device at K, conditional on what was read there
//  2. the pointer of id to K, learning which address it named before
//  3. the device at the former address is removed, if it is still this id's
//  4. the pointer of the device that held K before is removed, if it still
//     names K
//
// A renewal, by far the most of them, is the first alone. A crash after 1 leaves
// id under two addresses, of which the pointer names the old; the app's next
// registration, or its next change of token, finds that and goes on at 2. A
// crash later leaves a former address that FCM will call unregistered, or a
// pointer to another's address, which every reader takes for absent. The binding
// nonce keeps 3 and 4 from removing what somebody registered anew meanwhile.
func (s *Store) PutDevices(ctx context.Context, ds []push.Device) error {
	for _, wave := range waves(ds) {
		if err := s.putWave(ctx, wave); err != nil {
			return fmt.Errorf("put %d devices: %w", len(ds), err)
		}
	}
	return nil
}

// waves splits a batch so that no wave has an id or an address twice, and
// repeated ones keep their order.
func waves(ds []push.Device) [][]push.Device {
	type name struct {
		tenant  string
		id      push.ID
		address push.Address
	}
	var out [][]push.Device
	next := make(map[name]int, 2*len(ds)) // the first wave that is free for an id or an address
	for _, d := range ds {
		id, address := name{tenant: d.Tenant, id: d.ID}, name{tenant: d.Tenant, address: d.Address}
		wave := max(next[id], next[address])
		next[id], next[address] = wave+1, wave+1
		if wave == len(out) {
			out = append(out, nil)
		}
		out[wave] = append(out[wave], d)
	}
	return out
}

// situation is what is stored about a registration before it is made. Absent
// items are nil.
type situation struct {
	pointer table.Item // of the id
	holder  table.Item // the device at the address, of this id or another
	former  table.Item // the device at the address that the pointer names, if that is another
}

func (s *Store) putWave(ctx context.Context, ds []push.Device) error {
	keys := make([]table.Item, 0, 2*len(ds))
	for i := range ds {
		keys = append(keys, pointerKey(ds[i].Tenant, ds[i].ID), addressKey(ds[i].Tenant, ds[i].Address))
	}
	found, err := s.deviceItems(ctx, keys, true)
	if err != nil {
		return err
	}
	var formerKeys []table.Item
	for i := range ds {
		if p := found.at(pointerKey(ds[i].Tenant, ds[i].ID)); p != nil {
			formerKeys = append(formerKeys, deviceKey(p.Text(attrAddress)))
		}
	}
	formers, err := s.deviceItems(ctx, formerKeys, true)
	if err != nil {
		return err
	}
	return table.Concurrently(ctx, len(ds), func(ctx context.Context, i int) error {
		d := ds[i]
		d.State = push.DeviceActive
		now := situation{pointer: found.at(pointerKey(d.Tenant, d.ID)), holder: found.at(addressKey(d.Tenant, d.Address))}
		if p := now.pointer; p != nil && p.Text(attrAddress) != addressKey(d.Tenant, d.Address).Text(table.AttrPK) {
			now.former = formers.at(deviceKey(p.Text(attrAddress)))
		}
		return s.register(ctx, d, now)
	})
}

// register makes one registration, starting over while others change the same
// device.
func (s *Store) register(ctx context.Context, d push.Device, now situation) error {
	var made []table.Nonce
	for range table.ConflictTries {
		w := s.db.NewNonce() // one a try, as in changeDevice
		made = append(made, w)
		bind, err := s.writeDevice(ctx, d, now, w)
		if err == nil {
			return s.point(ctx, &d, now, bind)
		}
		found, err := s.db.Winner(ctx, err)
		if err != nil {
			return err
		}
		if found != nil && slices.Contains(made, found.NonceAt(table.AttrWrite)) { // our own write, whose answer got lost
			return s.point(ctx, &d, now, found.NonceAt(attrBind))
		}
		if now, err = s.situation(ctx, &d); err != nil {
			return err
		}
	}
	return fmt.Errorf("device %s: %w", d.ID, push.ErrConflict)
}

func (s *Store) situation(ctx context.Context, d *push.Device) (situation, error) {
	var now situation
	var err error
	if now.pointer, err = s.db.Get(ctx, s.devices, pointerKey(d.Tenant, d.ID)); err != nil {
		return now, err
	}
	address := addressKey(d.Tenant, d.Address)
	if now.holder, err = s.db.Get(ctx, s.devices, address); err != nil {
		return now, err
	}
	if now.pointer != nil && now.pointer.Text(attrAddress) != address.Text(table.AttrPK) {
		now.former, err = s.db.Get(ctx, s.devices, deviceKey(now.pointer.Text(attrAddress)))
	}
	return now, err
}

// writeDevice writes the device at its address and returns its binding. What
// its owner does not know is kept: since when there is the device, and how its
// last sends went.
func (s *Store) writeDevice(ctx context.Context, d push.Device, now situation, w table.Nonce) (table.Nonce, error) {
	bind := s.db.NewNonce()
	own := table.Item(nil)
	switch id := string(d.ID); {
	case now.holder.Text(table.AttrID) == id:
		own, bind = now.holder, now.holder.NonceAt(attrBind)
	case now.former.Text(table.AttrID) == id:
		own = now.former
	}
	if own != nil {
		before, err := decodeDevice(own)
		if err != nil {
			return bind, err
		}
		d.CreatedAt = before.CreatedAt
		d.LastSuccessAt, d.LastFailureAt, d.LastFailure = before.LastSuccessAt, before.LastFailureAt, before.LastFailure
	}
	var e table.Expression
	if now.holder == nil {
		e.Absent(table.AttrPK)
	} else {
		e.Equal(table.AttrWrite, now.holder[table.AttrWrite])
	}
	i := encodeDevice(&d, bind, w)
	if err := s.noteFresh(ctx, i, now.holder); err != nil {
		return bind, err
	}
	_, err := s.db.Put(ctx, s.devices, i, e, false)
	return bind, err
}

// point lets the id name its address, and removes what that supersedes.
func (s *Store) point(ctx context.Context, d *push.Device, now situation, bind table.Nonce) error {
	address := addressKey(d.Tenant, d.Address).Text(table.AttrPK)
	if now.pointer.Text(attrAddress) != address || now.pointer.NonceAt(attrBind) != bind {
		old, err := s.db.Put(ctx, s.devices, encodePointer(d.Tenant, d.ID, address, bind), table.Expression{}, true)
		if err != nil {
			return err
		}
		if old.Text(attrAddress) == address && old.NonceAt(attrBind) == bind {
			old = now.pointer // the answer to the first of two tries got lost
		}
		if err := s.dropFormer(ctx, d, now, old, address); err != nil {
			return err
		}
	}
	if now.holder == nil || now.holder.Text(table.AttrID) == string(d.ID) {
		return nil
	}
	return s.dropPointer(ctx, now.holder)
}

// dropFormer removes the device at the address that the id had before.
func (s *Store) dropFormer(ctx context.Context, d *push.Device, now situation, old table.Item, address string) error {
	former := old.Text(attrAddress)
	if former == "" || former == address {
		return nil
	}
	bind := old[attrBind]
	if now.former.Text(table.AttrID) == string(d.ID) && now.pointer.Text(attrAddress) == former &&
		now.pointer.NonceAt(attrBind) == old.NonceAt(attrBind) {
		bind = now.former[attrBind] // differs from the pointer's after a crash
	}
	var e table.Expression
	e.Equal(table.AttrID, table.Text(string(d.ID)))
	e.Equal(attrBind, bind)
	return s.removeIf(ctx, deviceKey(former), e)
}

// dropPointer removes the pointer of a device that is no more, unless the id
// was bound anew.
func (s *Store) dropPointer(ctx context.Context, device table.Item) error {
	var e table.Expression
	e.Equal(attrAddress, device[table.AttrPK])
	e.Equal(attrBind, device[attrBind])
	return s.removeIf(ctx, pointerKey(device.Text(table.AttrTenant), push.ID(device.Text(table.AttrID))), e)
}

// removeIf removes an item of the table of devices; that its condition fails is
// no error.
func (s *Store) removeIf(ctx context.Context, key table.Item, e table.Expression) error {
	return table.UnlessLost(s.db.Remove(ctx, s.devices, key, e))
}
