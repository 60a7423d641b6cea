package devices

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// Devices lists a tenant's devices by id, all or one user's.
func (s *Store) Devices(ctx context.Context, tenant, userID, after string, limit int) ([]push.Device, string, error) {
	const listing = "devices"
	limit = table.Limit(limit)
	place, err := table.CursorPlace(listing, after)
	if err != nil {
		return nil, "", err
	}
	var m *table.Merger
	address := func(i table.Item) table.Item { return deviceKey(i.Text(attrAddress)) }
	keep := func(entry table.Item, d *push.Device) bool { return string(d.ID) == entry.Text(table.AttrSK) }
	if userID == "" {
		m = s.db.Merge(table.AttrSK, false, s.pointerQueries(tenant, place, limit+1))
	} else {
		operator := ">"
		if place == "" {
			operator = ""
		}
		q := table.IndexQuery(s.devices, indexByUser, attrUser, userKey(tenant, userID), table.AttrID, operator, place)
		q.Limit = table.Ahead(limit+1, 1)
		m = s.db.Merge(table.AttrID, false, table.Queries{q})
		address = func(i table.Item) table.Item { return i.Key(table.AttrPK, table.AttrSK) }
		keep = func(_ table.Item, d *push.Device) bool { return d.UserID == userID }
	}
	var all []push.Device
	for len(all) <= limit {
		entries, err := m.Take(ctx, limit+1-len(all))
		if err == nil && len(entries) > 0 {
			all, err = s.appendDevices(ctx, all, entries, userID == "", address, keep)
		}
		if err != nil {
			return nil, "", fmt.Errorf("list devices: %w", err)
		}
		if len(entries) == 0 {
			break
		}
	}
	page, next := table.Cut(listing, all, limit, func(d *push.Device) string { return string(d.ID) })
	return page, next, nil
}

// pointerQueries select the pointers of a tenant behind an id.
func (s *Store) pointerQueries(tenant, after string, limit int) table.Queries {
	var out table.Queries
	for shard := range pointerShards {
		var e table.Expression
		cond := e.Name(table.AttrPK) + " = " + e.Value("pk", table.Text(pointerPartition(tenant, shard)))
		if after != "" {
			cond += " AND " + e.Name(table.AttrSK) + " > " + e.Value("after", table.Text(after))
		}
		q := table.Between(s.devices, "", "", "", table.Ahead(limit, pointerShards))
		q.KeyConditionExpression, q.ExpressionAttributeNames, q.ExpressionAttributeValues = &cond, e.Names, e.Values
		q.ConsistentRead = new(true)
		out = append(out, q)
	}
	return out
}

// appendDevices appends the devices that entries of a listing lead to, in their
// order, without those that the listing no longer fits.
func (s *Store) appendDevices(
	ctx context.Context, dst []push.Device, entries []table.Item, consistent bool,
	address func(table.Item) table.Item, keep func(table.Item, *push.Device) bool,
) ([]push.Device, error) {
	keys := make([]table.Item, len(entries))
	for i := range entries {
		keys[i] = address(entries[i])
	}
	found, err := s.deviceItems(ctx, keys, consistent)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		stored := found.at(keys[i])
		if stored == nil {
			continue
		}
		d, err := decodeDevice(stored)
		if err != nil {
			return nil, err
		}
		if keep(entries[i], &d) {
			dst = append(dst, d)
		}
	}
	return dst, nil
}

// DevicesByAddress returns the devices among the addresses, as they were moments
// ago: an eventually consistent read costs half.
func (s *Store) DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Device, error) {
	found, err := s.byAddress(ctx, tenant, as, false)
	if err != nil {
		return nil, fmt.Errorf("devices of %d addresses: %w", len(as), err)
	}
	out := make(map[push.Address]push.Device, len(found))
	for a, i := range found {
		if out[a], err = decodeDevice(i); err != nil {
			return nil, fmt.Errorf("devices of %d addresses: %w", len(as), err)
		}
	}
	return out, nil
}

// ReachByAddress returns what a send must know of the devices among the
// addresses, as it was moments ago. Those that were in quarantine then are read
// again as they are: a device that has just registered anew must not be passed
// over.
func (s *Store) ReachByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error) {
	found, err := s.byAddress(ctx, tenant, as, false)
	var again []push.Address
	for a, i := range found {
		if i.Has(attrQuarantine) {
			again = append(again, a)
		}
	}
	if err == nil && len(again) > 0 {
		var now map[push.Address]table.Item
		now, err = s.byAddress(ctx, tenant, again, true)
		for _, a := range again {
			delete(found, a)
		}
		maps.Copy(found, now)
	}
	if err != nil {
		return nil, fmt.Errorf("reach of %d addresses: %w", len(as), err)
	}
	out := make(map[push.Address]push.Reach, len(found))
	for a, i := range found {
		out[a] = push.Reach{
			Sendable: !i.Has(attrQuarantine), LastSuccessAt: i.Time(attrLastSuccess), Platform: push.Platform(i.Text(attrPlatform)),
		}
	}
	return out, nil
}

// byAddress returns the stored items among addresses.
func (s *Store) byAddress(ctx context.Context, tenant string, as []push.Address, consistent bool) (map[push.Address]table.Item, error) {
	keys := make([]table.Item, len(as))
	for i, a := range as {
		keys[i] = addressKey(tenant, a)
	}
	found, err := s.deviceItems(ctx, keys, consistent)
	if err != nil {
		return nil, err
	}
	out := make(map[push.Address]table.Item, len(found))
	for i, a := range as {
		if stored := found.at(keys[i]); stored != nil {
			out[a] = stored
		}
	}
	return out, nil
}

// DevicesByUser returns all devices of the users, by user, each user's by id: as
// they are after every acknowledged write, since what was registered just now is
// to be sent to and what was removed is not.
func (s *Store) DevicesByUser(ctx context.Context, tenant string, users []string) (map[string][]push.Device, error) {
	users = slices.Clone(users)
	slices.Sort(users)
	users = slices.Compact(users)
	var mu sync.Mutex
	var entries []table.Item
	err := table.Concurrently(ctx, len(users), func(ctx context.Context, i int) error {
		if users[i] == "" {
			return nil // devices without a user are nobody's
		}
		found, err := s.userEntries(ctx, userKey(tenant, users[i]))
		mu.Lock()
		defer mu.Unlock()
		entries = append(entries, found...)
		return err
	})
	var all []push.Device
	if err == nil {
		all, err = s.appendDevices(ctx, nil, entries, true,
			func(i table.Item) table.Item { return i.Key(table.AttrPK, table.AttrSK) },
			func(entry table.Item, d *push.Device) bool { return userKey(tenant, d.UserID) == entry.Text(attrUser) })
	}
	if err != nil {
		return nil, fmt.Errorf("devices of %d users: %w", len(users), err)
	}
	slices.SortFunc(all, func(a, b push.Device) int { return cmp.Compare(a.ID, b.ID) })
	out := make(map[string][]push.Device, len(users))
	for _, d := range all {
		out[d.UserID] = append(out[d.UserID], d)
	}
	return out, nil
}

// DevicesByID returns the devices among the ids.
func (s *Store) DevicesByID(ctx context.Context, tenant string, ids []push.ID) (map[push.ID]push.Device, error) {
	keys := make([]table.Item, len(ids))
	for i, id := range ids {
		keys[i] = pointerKey(tenant, id)
	}
	pointers, err := s.db.BatchGet(ctx, s.devices, keys, true)
	var all []push.Device
	if err == nil {
		all, err = s.appendDevices(ctx, nil, pointers, true,
			func(i table.Item) table.Item { return deviceKey(i.Text(attrAddress)) },
			func(entry table.Item, d *push.Device) bool { return string(d.ID) == entry.Text(table.AttrSK) })
	}
	if err != nil {
		return nil, fmt.Errorf("devices of %d ids: %w", len(ids), err)
	}
	out := make(map[push.ID]push.Device, len(all))
	for _, d := range all {
		out[d.ID] = d
	}
	return out, nil
}
