package devices

import (
	"context"
	"fmt"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// RecordDevices remembers those addresses of the notes that are unknown: one write each,
// which does nothing where the place of the address is taken.
func (s *Store) RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	seen := make(map[push.Address]bool, len(notes))
	notes = slices.DeleteFunc(slices.Clone(notes), func(n push.DeviceNote) bool {
		again := seen[n.Address]
		seen[n.Address] = true
		return again
	})
	err := table.Concurrently(ctx, len(notes), func(ctx context.Context, i int) error {
		d := notes[i].Seen(tenant)
		d.ID = push.SeenID(tenant, d.Address)
		_, err := s.record(ctx, &d)
		return err
	})
	if err != nil {
		return fmt.Errorf("record %d devices: %w", len(notes), err)
	}
	return nil
}

// record stores a device that only sends know, if its place is free, and returns what is
// there if not.
func (s *Store) record(ctx context.Context, d *push.Device) (table.Item, error) {
	w := s.db.NewNonce()
	i := encodeDevice(d, seenKey(d.Tenant, d.ID), table.Nonce{}, w)
	var e table.Expression
	e.Absent(table.AttrPK)
	_, err := s.db.Put(ctx, s.devices, i, e, false)
	if err == nil {
		return nil, nil
	}
	there, err := s.db.Winner(ctx, err)
	if err != nil || there.NonceAt(table.AttrWrite) == w { // our own write, whose answer got lost
		return nil, err
	}
	return there, nil
}

// remember makes a device of an address that notes are about, if one of them says so, and
// returns it, and whether this call quarantined it. To an address that became known
// meanwhile the notes are applied.
func (s *Store) remember(ctx context.Context, tenant string, notes []*push.DeviceNote) (push.Device, bool, error) {
	first := slices.IndexFunc(notes, func(n *push.DeviceNote) bool { return n.Record })
	if first < 0 {
		return push.Device{}, false, nil
	}
	d := notes[first].Seen(tenant)
	for _, n := range notes[first+1:] {
		n.Apply(&d)
	}
	d.ID = push.SeenID(tenant, d.Address)
	for range table.ConflictTries {
		there, err := s.record(ctx, &d)
		if err == nil && there != nil && !isSeen(there) {
			there, err = s.recordElsewhere(ctx, &d)
		}
		switch {
		case err != nil:
			return d, false, err
		case there == nil:
			return d, d.State == push.DeviceQuarantined, nil
		}
		now, quarantined, err := s.apply(ctx, there, notes)
		if err != nil || now.ID != "" {
			return now, quarantined, err
		}
	}
	return d, false, push.ErrConflict
}

// apply applies notes to a device, and returns it, without an id if it is gone.
func (s *Store) apply(ctx context.Context, stored table.Item, notes []*push.DeviceNote) (push.Device, bool, error) {
	was := push.DeviceActive
	d, changed, err := s.changeDevice(ctx, stored, func(d *push.Device) bool {
		was = d.State
		taught := false
		for _, n := range notes {
			taught = n.Apply(d) || taught
		}
		return taught
	})
	return d, changed && was != d.State, err
}

// recordElsewhere stores a device whose place is marked where registered ones are, under a
// new id, unless its address is registered: then it returns the item. The pointer goes
// first: a crash before the device leaves the address unknown.
func (s *Store) recordElsewhere(ctx context.Context, d *push.Device) (table.Item, error) {
	key := addressKey(d.Tenant, d.Address)
	if holder, err := s.db.Get(ctx, s.devices, key); err != nil || holder != nil {
		return holder, err
	}
	other := *d
	other.ID = push.NewID(push.PrefixDevice)
	bind, w := s.db.NewNonce(), s.db.NewNonce()
	_, err := s.db.Put(ctx, s.devices, encodePointer(d.Tenant, other.ID, key.Text(table.AttrPK), bind), table.Expression{}, false)
	if err != nil {
		return nil, err
	}
	i := encodeDevice(&other, key, bind, w)
	var e table.Expression
	e.Absent(table.AttrPK)
	if _, err = s.db.Put(ctx, s.devices, i, e, false); err == nil {
		*d = other
		return nil, nil
	}
	holder, err := s.db.Winner(ctx, err)
	if err != nil {
		return nil, err
	}
	if holder.NonceAt(table.AttrWrite) == w { // our own write, whose answer got lost
		*d = other
		return nil, nil
	}
	return holder, s.dropPointer(ctx, i)
}
