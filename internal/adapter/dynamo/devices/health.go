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
			stored, notes := found[addresses[i]], byAddress[addresses[i]]
			if stored == nil {
				d, gone, err := s.remember(ctx, tenant, notes)
				if err == nil && gone {
					mu.Lock()
					quarantined = append(quarantined, d)
					mu.Unlock()
				}
				return err
			}
			d, gone, err := s.apply(ctx, stored, notes)
			if err == nil && d.ID == "" {
				d, gone, err = s.remember(ctx, tenant, notes)
			}
			if gone {
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
	marks, err := s.marksOf(ctx, i, true)
	if err != nil {
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
	if isSeen(i) {
		return true, nil
	}
	if err := s.free(ctx, marks); err != nil {
		return true, err
	}
	return true, s.dropPointer(ctx, i)
}
