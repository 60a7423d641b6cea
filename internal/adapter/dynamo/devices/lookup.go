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
	address := func(i table.Item) table.Item {
		if inSeen(i) {
			return i.Key(table.AttrPK, table.AttrSK)
		}
		return deviceKey(i.Text(attrAddress))
	}
	keep := func(entry table.Item, d *push.Device) bool { return string(d.ID) == entry.Text(table.AttrSK) }
	if userID == "" {
		m = s.db.Merge(table.AttrSK, false, append(s.pointerQueries(tenant, place, limit+1), s.seenQueries(tenant, place, limit+1)...))
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
		end := len(entries) == 0
		entries = slices.DeleteFunc(entries, func(i table.Item) bool { return userID == "" && inSeen(i) && !isSeen(i) })
		if err == nil && len(entries) > 0 {
			all, err = s.appendDevices(ctx, all, entries, userID == "", address, keep)
		}
		if err != nil {
			return nil, "", fmt.Errorf("list devices: %w", err)
		}
		if end {
			break
		}
	}
	page, next := table.Cut(listing, all, limit, func(d *push.Device) string { return string(d.ID) })
	return page, next, nil
}

// pointerQueries select the pointers of a tenant behind an id.
func (s *Store) pointerQueries(tenant, after string, limit int) table.Queries {
	var partitions []string
	for shard := range pointerShards {
		partitions = append(partitions, pointerPartition(tenant, shard))
	}
	return s.queries(partitions, after, limit)
}

// seenQueries select the devices of a tenant that only sends know behind an id, and the
// marks among them.
func (s *Store) seenQueries(tenant, after string, limit int) table.Queries {
	var partitions []string
	for _, digit := range seenShards {
		partitions = append(partitions, seenPartition(tenant, string(digit)))
	}
	return s.queries(partitions, after, limit)
}

// queries select what is behind a sort key of each partition.
func (s *Store) queries(partitions []string, after string, limit int) table.Queries {
	var out table.Queries
	for _, pk := range partitions {
		var e table.Expression
		cond := e.Name(table.AttrPK) + " = " + e.Value("pk", table.Text(pk))
		if after != "" {
			cond += " AND " + e.Name(table.AttrSK) + " > " + e.Value("after", table.Text(after))
		}
		q := table.Between(s.devices, "", "", "", table.Ahead(limit, len(partitions)))
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

// byAddress returns the stored items of devices among addresses. It looks in the places of
// addresses first, and where registered devices are for those that have a mark there, or the
// other way round where most are registered: so most cost one read.
func (s *Store) byAddress(ctx context.Context, tenant string, as []push.Address, consistent bool) (map[push.Address]table.Item, error) {
	out := make(map[push.Address]table.Item, len(as))
	_, aside := s.aside.Load(tenant)
	look := []func(context.Context, string, []push.Address, bool, map[push.Address]table.Item) ([]push.Address, error){
		s.inPlaces, s.amongRegistered,
	}
	if aside {
		slices.Reverse(look)
	}
	left, err := look[0](ctx, tenant, as, consistent, out)
	if err != nil || len(left) == 0 {
		return out, err
	}
	first := len(out)
	_, err = look[1](ctx, tenant, left, consistent, out)
	switch turn := err == nil && len(out)-first > first; {
	case turn && aside:
		s.aside.Delete(tenant)
	case turn:
		s.aside.Store(tenant, struct{}{})
	}
	return out, err
}

// inPlaces finds devices that only sends know, and returns the addresses that may be
// registered.
func (s *Store) inPlaces(ctx context.Context, tenant string, as []push.Address, consistent bool, out map[push.Address]table.Item) (
	[]push.Address, error,
) {
	keys := make([]table.Item, len(as))
	for i, a := range as {
		keys[i] = seenKeyAt(tenant, a)
	}
	found, err := s.deviceItems(ctx, keys, consistent)
	if err != nil {
		return nil, err
	}
	var marked, absent []push.Address
	for i, a := range as {
		switch stored := found.at(keys[i]); {
		case isSeen(stored):
			out[a] = stored
		case stored != nil:
			marked = append(marked, a)
		default:
			absent = append(absent, a)
		}
	}
	if len(absent) == 0 {
		return marked, nil
	}
	if old, err := s.hasRegistered(ctx, tenant); err != nil || !old {
		return marked, err
	}
	return append(marked, absent...), nil
}

// amongRegistered finds registered devices, and returns the other addresses.
func (s *Store) amongRegistered(ctx context.Context, tenant string, as []push.Address, consistent bool, out map[push.Address]table.Item) (
	[]push.Address, error,
) {
	keys := make([]table.Item, len(as))
	for i, a := range as {
		keys[i] = addressKey(tenant, a)
	}
	found, err := s.deviceItems(ctx, keys, consistent)
	if err != nil {
		return nil, err
	}
	var left []push.Address
	for i, a := range as {
		if stored := found.at(keys[i]); stored != nil {
			out[a] = stored
		} else {
			left = append(left, a)
		}
	}
	return left, nil
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
		found, err := s.userEntries(ctx, tenant, users[i])
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
	var keys []table.Item
	for _, id := range ids {
		keys = append(keys, pointerKey(tenant, id))
		if _, ok := push.SeenKeyOf(id); ok {
			keys = append(keys, seenKey(tenant, id))
		}
	}
	found, err := s.db.BatchGet(ctx, s.devices, keys, true)
	var all []push.Device
	var pointers []table.Item
	for _, i := range found {
		switch {
		case isSeen(i):
			var d push.Device
			if d, err = decodeDevice(i); err != nil {
				return nil, fmt.Errorf("devices of %d ids: %w", len(ids), err)
			}
			all = append(all, d)
		case !inSeen(i):
			pointers = append(pointers, i)
		}
	}
	if err == nil {
		all, err = s.appendDevices(ctx, all, pointers, true,
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
