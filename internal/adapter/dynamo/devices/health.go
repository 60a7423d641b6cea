package devices

import (
	"context"
	"fmt"
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
			stored := found[addresses[i]]
			if stored == nil {
				return nil
			}
			was := push.DeviceActive
			d, changed, err := s.changeDevice(ctx, stored, func(d *push.Device) bool {
				was = d.State
				taught := false
				for _, n := range byAddress[addresses[i]] {
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

// RecordDevices stores those devices whose address is unknown; the others stay
// untouched. Nearly all sends go to known addresses, so it looks first.
//
// The pointer goes first here, unlike in PutDevices: a crash before the device
// leaves the address unknown, and the next send to it records it again.
func (s *Store) RecordDevices(ctx context.Context, ds []push.Device) error {
	keys := make([]table.Item, len(ds))
	for i := range ds {
		keys[i] = addressKey(ds[i].Tenant, ds[i].Address)
	}
	found, err := s.deviceItems(ctx, keys, false)
	if err == nil {
		err = table.Concurrently(ctx, len(ds), func(ctx context.Context, i int) error {
			if found.at(keys[i]) != nil {
				return nil
			}
			return s.record(ctx, ds[i])
		})
	}
	if err != nil {
		return fmt.Errorf("record %d devices: %w", len(ds), err)
	}
	return nil
}

func (s *Store) record(ctx context.Context, d push.Device) error {
	bind, ok, err := s.pointOnce(ctx, &d)
	if err != nil || !ok {
		return err
	}
	w := s.db.NewNonce()
	i := encodeDevice(&d, bind, w)
	var e table.Expression
	e.Absent(table.AttrPK)
	_, err = s.db.Put(ctx, s.devices, i, e, false)
	if err == nil {
		return nil
	}
	holder, err := s.db.Winner(ctx, err)
	if err != nil || holder == nil || holder.Text(table.AttrID) == string(d.ID) {
		return err // the same device, recorded by another or by a try of our own
	}
	return s.dropPointer(ctx, i) // the address was known after all
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
			return bind, false, err
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
