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
// A registration of id with address K is up to eight writes, in this order:
//
//  0. a mark in K's place, if K is new, which takes the place of what only sends knew; one
//     in the place of the id, if that follows from another address
//  1. a note for those who look the user's devices up, if it is new to the user
//  2. the device at K, conditional on what was read there
//  3. the pointer of id to K, learning which address it named before
//  4. the device at the former address is removed, if it is still this id's, with its mark
//  5. the pointer of the device that held K before is removed, if it still
//     names K
//
// A renewal, by far the most of them, is 2 alone. A crash after 0 leaves an address that
// nobody knows until the app tries again; a crash after 2 leaves
// id under two addresses, of which the pointer names the old; the app's next
// registration, or its next change of token, finds that and goes on at 3. A
// crash later leaves a former address that FCM will call unregistered, or a
// pointer to another's address, which every reader takes for absent. The binding
// nonce keeps 4 and 5 from removing what somebody registered anew meanwhile.
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
	// If there is no holder:
	place table.Item // what is in the address's place: a device that only sends know, or a mark
	was   table.Item // the device that was there before this registration's mark
	// If the id follows from another address:
	own table.Item // what is in that one's place
}

// owns reports whether the id follows from another address.
func owns(d *push.Device) bool {
	_, ok := push.SeenKeyOf(d.ID)
	return ok && d.ID != push.SeenID(d.Tenant, d.Address)
}

// situations reads what is stored about registrations.
func (s *Store) situations(ctx context.Context, ds []push.Device) ([]situation, error) {
	keys := make([]table.Item, 0, 2*len(ds))
	for i := range ds {
		keys = append(keys, pointerKey(ds[i].Tenant, ds[i].ID), addressKey(ds[i].Tenant, ds[i].Address))
	}
	found, err := s.deviceItems(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	all := make([]situation, len(ds))
	var more []table.Item
	each := func(visit func(now *situation, into *table.Item, key table.Item)) {
		for i := range ds {
			d, now := &ds[i], &all[i]
			if now.holder == nil {
				visit(now, &now.place, seenKeyAt(d.Tenant, d.Address))
			}
			if owns(d) {
				visit(now, &now.own, seenKey(d.Tenant, d.ID))
			}
			if p := now.pointer; p != nil && p.Text(attrAddress) != addressKey(d.Tenant, d.Address).Text(table.AttrPK) {
				visit(now, &now.former, deviceKey(p.Text(attrAddress)))
			}
		}
	}
	for i := range ds {
		all[i].pointer, all[i].holder = found.at(keys[2*i]), found.at(keys[2*i+1])
	}
	each(func(_ *situation, _ *table.Item, key table.Item) { more = append(more, key) })
	if found, err = s.deviceItems(ctx, more, true); err != nil {
		return nil, err
	}
	each(func(_ *situation, into *table.Item, key table.Item) { *into = found.at(key) })
	return all, nil
}

func (s *Store) putWave(ctx context.Context, ds []push.Device) error {
	all, err := s.situations(ctx, ds)
	if err != nil {
		return err
	}
	return table.Concurrently(ctx, len(ds), func(ctx context.Context, i int) error {
		d := ds[i]
		d.State = push.DeviceActive
		return s.register(ctx, d, all[i])
	})
}

// register makes one registration, starting over while others change the same
// device.
func (s *Store) register(ctx context.Context, d push.Device, now situation) error {
	const patience = 3 // tries before those that meet get out of each other's way
	var made []table.Nonce
	for try := range table.ConflictTries {
		if try >= patience {
			if err := s.db.Pause(ctx, try-patience+1); err != nil {
				return err
			}
		}
		w := s.db.NewNonce() // one a try, as in changeDevice
		made = append(made, w)
		err := s.takePlaces(ctx, &d, &now)
		var bind table.Nonce
		if err == nil {
			bind, err = s.writeDevice(ctx, d, now, w)
		}
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
		again, err := s.situations(ctx, []push.Device{d})
		if err != nil {
			return err
		}
		if isSeen(now.place) {
			again[0].was = now.place
		} else {
			again[0].was = now.was
		}
		now = again[0]
	}
	return fmt.Errorf("device %s: %w", d.ID, push.ErrConflict)
}

// takePlaces marks the places of a new address and of an id that follows from another.
func (s *Store) takePlaces(ctx context.Context, d *push.Device, now *situation) error {
	if now.holder == nil {
		marks := with(now.place, markAddress)
		if d.ID == push.SeenID(d.Tenant, d.Address) {
			marks = markAddress // nobody else has the id
		}
		if err := s.mark(ctx, seenKeyAt(d.Tenant, d.Address), now.place, marks); err != nil {
			return err
		}
	}
	if marks := with(now.own, markID); owns(d) && !isSeen(now.own) && marks != now.own.Text(attrMarks) {
		return s.mark(ctx, seenKey(d.Tenant, d.ID), now.own, marks)
	}
	return nil
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
	case now.own.Text(table.AttrID) == id:
		own = now.own
	case now.place.Text(table.AttrID) == id:
		own = now.place
	case now.was.Text(table.AttrID) == id:
		own = now.was
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
	i := encodeDevice(&d, addressKey(d.Tenant, d.Address), bind, w)
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
	if isSeen(now.own) { // it was known from sends, at the address that its id follows from
		if err := table.UnlessLost(s.mark(ctx, now.own, now.own, markID)); err != nil {
			return err
		}
	}
	if now.holder == nil || now.holder.Text(table.AttrID) == string(d.ID) {
		return nil
	}
	return s.dropPointer(ctx, now.holder)
}

// dropFormer removes the device at the address that the id had before, with its mark.
func (s *Store) dropFormer(ctx context.Context, d *push.Device, now situation, old table.Item, address string) error {
	former := old.Text(attrAddress)
	if former == "" || former == address {
		return nil
	}
	bind := old[attrBind]
	ours := now.former.Text(table.AttrID) == string(d.ID) && now.pointer.Text(attrAddress) == former
	if ours && now.pointer.NonceAt(attrBind) == old.NonceAt(attrBind) {
		bind = now.former[attrBind] // differs from the pointer's after a crash
	}
	var marks []freed
	if ours {
		var err error
		if marks, err = s.marksOf(ctx, now.former, false); err != nil {
			return err
		}
	}
	var e table.Expression
	e.Equal(table.AttrID, table.Text(string(d.ID)))
	e.Equal(attrBind, bind)
	return s.vacate(ctx, deviceKey(former), e, marks)
}

// dropPointer removes the pointer of a device that is no more, unless the id
// was bound anew.
func (s *Store) dropPointer(ctx context.Context, device table.Item) error {
	var e table.Expression
	e.Equal(attrAddress, device[table.AttrPK])
	e.Equal(attrBind, device[attrBind])
	return s.removeIf(ctx, pointerKey(device.Text(table.AttrTenant), push.ID(device.Text(table.AttrID))), e)
}

// vacate removes a device on a condition, and its marks if it is gone: not if somebody
// took over its address meanwhile, who relies on them.
func (s *Store) vacate(ctx context.Context, key table.Item, e table.Expression, marks []freed) error {
	if err := s.db.Remove(ctx, s.devices, key, e); err != nil {
		if found, err := s.db.Winner(ctx, err); err != nil || found != nil {
			return err
		}
	}
	return s.free(ctx, marks)
}

// removeIf removes an item of the table of devices; that its condition fails is
// no error.
func (s *Store) removeIf(ctx context.Context, key table.Item, e table.Expression) error {
	return table.UnlessLost(s.db.Remove(ctx, s.devices, key, e))
}
