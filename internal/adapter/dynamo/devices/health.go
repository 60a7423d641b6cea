package devices

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// NoteDevices applies what sends taught, the notes of one address in the given
// order, and returns the devices that this call quarantined.
func (s *Store) NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) ([]push.Device, error) {
	var addresses []push.Address
	byAddress := make(map[push.Address][]*push.DeviceNote, len(notes))
	for i := range notes {
		a := notes[i].Address
		if byAddress[a] == nil {
			addresses = append(addresses, a)
		}
		byAddress[a] = append(byAddress[a], &notes[i])
	}
	found, err := s.byAddress(ctx, tenant, addresses, true)
	var mu sync.Mutex
	var quarantined []push.Device
	if err == nil {
		err = table.Concurrently(ctx, len(addresses), func(ctx context.Context, i int) error {
			stored, notes := found[addresses[i]], byAddress[addresses[i]]
			if stored == nil {
				d, made, err := s.remember(ctx, tenant, notes)
				if err == nil && made && d.State == push.DeviceQuarantined {
					mu.Lock()
					quarantined = append(quarantined, d)
					mu.Unlock()
				}
				return err
			}
			was := push.DeviceActive
			d, changed, err := s.changeDevice(ctx, stored, func(d *push.Device) bool {
				was = d.State
				taught := false
				for _, n := range notes {
					taught = n.Apply(d) || taught
				}
				return taught
			})
			if changed && was != d.State {
				mu.Lock()
				quarantined = append(quarantined, d)
				mu.Unlock()
			}
			return err
		})
	}
	if err != nil {
		return quarantined, fmt.Errorf("note %d sends: %w", len(notes), err)
	}
	return quarantined, nil
}

// RecordDevices remembers those addresses of the notes that are unknown. Nearly all
// sends go to known addresses, so it looks first.
//
// The pointer goes first here, unlike in PutDevices: a crash before the device
// leaves the address unknown, and the next send to it records it again.
func (s *Store) RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	first := make(map[push.Address]*push.DeviceNote, len(notes))
	var addresses []push.Address
	for i := range notes {
		if a := notes[i].Address; first[a] == nil {
			first[a] = &notes[i]
			addresses = append(addresses, a)
		}
	}
	found, err := s.byAddress(ctx, tenant, addresses, false)
	if err == nil {
		err = table.Concurrently(ctx, len(addresses), func(ctx context.Context, i int) error {
			if found[addresses[i]] != nil {
				return nil
			}
			d := first[addresses[i]].Seen(tenant)
			d.ID = push.SeenID(tenant, d.Address)
			_, _, err := s.record(ctx, d)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("record %d devices: %w", len(notes), err)
	}
	return nil
}

// remember makes a device of an address that notes of one are about, if one of them says
// so, and returns it. An address that became known meanwhile has the notes applied.
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
		holder, free, err := s.record(ctx, d)
		switch {
		case err != nil:
			return d, false, err
		case holder == nil && free:
			return d, true, nil
		case !free:
			d.ID = push.NewID(push.PrefixDevice)
			continue
		}
		was := push.DeviceQuarantined
		now, changed, err := s.changeDevice(ctx, holder, func(d *push.Device) bool {
			was = d.State
			taught := false
			for _, n := range notes {
				taught = n.Apply(d) || taught
			}
			return taught
		})
		return now, changed && was != now.State, err
	}
	return d, false, push.ErrConflict
}

// record stores a device if its address is unknown, and returns the item that holds the
// address if it is not; false if the id is that of a device elsewhere.
func (s *Store) record(ctx context.Context, d push.Device) (table.Item, bool, error) {
	bind, ok, err := s.pointOnce(ctx, &d)
	if err != nil || !ok {
		return nil, ok, err
	}
	w := s.db.NewNonce()
	i := encodeDevice(&d, bind, w)
	var e table.Expression
	e.Absent(table.AttrPK)
	_, err = s.db.Put(ctx, s.devices, i, e, false)
	if err == nil {
		return nil, true, nil
	}
	holder, err := s.db.Winner(ctx, err)
	switch {
	case err != nil || holder == nil:
		return nil, true, err
	case holder.NonceAt(table.AttrWrite) == w: // our own write, whose answer got lost
		return nil, true, nil
	case holder.Text(table.AttrID) == string(d.ID): // recorded by another
		return holder, true, nil
	}
	return holder, true, s.dropPointer(ctx, i) // the address was known after all
}

// pointOnce lets a new id name its address. It returns the binding, and false
// if the id is that of a device elsewhere, whose owner's word stands.
func (s *Store) pointOnce(ctx context.Context, d *push.Device) (table.Nonce, bool, error) {
	address := addressKey(d.Tenant, d.Address).Text(table.AttrPK)
	bind := s.db.NewNonce()
	var e table.Expression
	e.Absent(table.AttrPK)
	for range table.ConflictTries {
		_, err := s.db.Put(ctx, s.devices, encodePointer(d.Tenant, d.ID, address, bind), e, false)
		if err == nil {
			return bind, true, nil
		}
		pointer, err := s.db.Winner(ctx, err)
		if err != nil {
			return bind, false, err
		}
		e = table.Expression{}
		switch {
		case pointer == nil:
			e.Absent(table.AttrPK)
			continue
		case pointer.Text(attrAddress) == address:
			return pointer.NonceAt(attrBind), true, nil
		}
		other, err := s.db.Get(ctx, s.devices, deviceKey(pointer.Text(attrAddress)))
		if err != nil || other.Text(table.AttrID) == string(d.ID) {
			return bind, false, err // of a device elsewhere
		}
		e.Equal(attrBind, pointer[attrBind]) // it leads nowhere: replace it
	}
	return bind, false, push.ErrConflict
}

// PurgeQuarantined removes up to limit devices quarantined before the given
// time, of all tenants, the longest quarantined first. Several processes may do
// it at once.
func (s *Store) PurgeQuarantined(ctx context.Context, before time.Time, limit int) (int, error) {
	var over table.Queries
	for shard := range quarantineShards {
		q := table.IndexQuery(s.devices, indexQuarantined, attrQuarantine, strconv.Itoa(shard), attrQuarantinedAt, "<", table.Sortable(before))
		q.Limit = table.Ahead(limit, quarantineShards)
		over = append(over, q)
	}
	m := s.db.Merge(attrQuarantinedAt, false, over)
	removed := 0
	for removed < limit {
		entry, err := m.Next(ctx)
		if err == nil && entry == nil {
			break
		}
		ok := false
		if err == nil {
			ok, err = s.purge(ctx, entry, before)
		}
		if err != nil {
			return removed, fmt.Errorf("purge quarantined devices: %w", err)
		}
		if ok {
			removed++
		}
	}
	return removed, nil
}

// purge removes one device that the index shows as quarantined, if it still is.
func (s *Store) purge(ctx context.Context, entry table.Item, before time.Time) (bool, error) {
	key := entry.Key(table.AttrPK, table.AttrSK)
	i, err := s.db.Get(ctx, s.devices, key)
	if err != nil || i == nil {
		return false, err
	}
	d, err := decodeDevice(i)
	if err != nil || d.State != push.DeviceQuarantined || !d.QuarantinedAt.Before(before) {
		return false, err
	}
	var e table.Expression
	e.Equal(table.AttrWrite, i[table.AttrWrite])
	if err := s.db.Remove(ctx, s.devices, key, e); err != nil {
		// What is gone by now was removed by a try of ours whose answer got lost, or
		// by another's purge.
		if found, err := s.db.Winner(ctx, err); err != nil || found != nil {
			return false, err
		}
	}
	return true, s.dropPointer(ctx, i)
}
