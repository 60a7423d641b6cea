package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/belfry-push/belfry/internal/push"
)

// Devices lists a tenant's devices by id, all or one user's.
func (s *Store) Devices(ctx context.Context, tenant, userID, after string, limit int) ([]push.Device, string, error) {
	const listing = "devices"
	limit = listLimit(limit)
	place, err := cursorPlace(listing, after)
	if err != nil {
		return nil, "", err
	}
	var m *merger
	address := func(i item) item { return deviceKey(i.text(attrAddress)) }
	keep := func(entry item, d *push.Device) bool { return string(d.ID) == entry.text(attrSK) }
	if userID == "" {
		m = s.merge(attrSK, false, s.pointerQueries(tenant, place, limit+1))
	} else {
		operator := ">"
		if place == "" {
			operator = ""
		}
		q := s.indexQuery(s.devices, indexByUser, attrUser, userKey(tenant, userID), attrID, operator, place)
		q.Limit = ahead(limit+1, 1)
		m = s.merge(attrID, false, queries{q})
		address = func(i item) item { return i.key(attrPK, attrSK) }
		keep = func(_ item, d *push.Device) bool { return d.UserID == userID }
	}
	var all []push.Device
	for len(all) <= limit {
		entries, err := m.take(ctx, limit+1-len(all))
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
	page, next := cutPage(listing, all, limit, func(d *push.Device) string { return string(d.ID) })
	return page, next, nil
}

// pointerQueries select the pointers of a tenant behind an id.
func (s *Store) pointerQueries(tenant, after string, limit int) queries {
	var out queries
	for shard := range pointerShards {
		var e expression
		cond := e.name(attrPK) + " = " + e.value("pk", text(pointerPartition(tenant, shard)))
		if after != "" {
			cond += " AND " + e.name(attrSK) + " > " + e.value("after", text(after))
		}
		q := between(s.devices, "", "", "", ahead(limit, pointerShards))
		q.KeyConditionExpression, q.ExpressionAttributeNames, q.ExpressionAttributeValues = &cond, e.names, e.values
		q.ConsistentRead = new(true)
		out = append(out, q)
	}
	return out
}

// appendDevices appends the devices that entries of a listing lead to, in their
// order, without those that the listing no longer fits.
func (s *Store) appendDevices(
	ctx context.Context, dst []push.Device, entries []item, consistent bool, address func(item) item, keep func(item, *push.Device) bool,
) ([]push.Device, error) {
	keys := make([]item, len(entries))
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
// addresses, as it was moments ago.
func (s *Store) ReachByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error) {
	found, err := s.byAddress(ctx, tenant, as, false)
	if err != nil {
		return nil, fmt.Errorf("reach of %d addresses: %w", len(as), err)
	}
	out := make(map[push.Address]push.Reach, len(found))
	for a, i := range found {
		out[a] = push.Reach{Sendable: !i.has(attrQuarantine), LastSuccessAt: i.time(attrLastSuccess)}
	}
	return out, nil
}

// byAddress returns the stored items among addresses.
func (s *Store) byAddress(ctx context.Context, tenant string, as []push.Address, consistent bool) (map[push.Address]item, error) {
	keys := make([]item, len(as))
	for i, a := range as {
		keys[i] = addressKey(tenant, a)
	}
	found, err := s.deviceItems(ctx, keys, consistent)
	if err != nil {
		return nil, err
	}
	out := make(map[push.Address]item, len(found))
	for i, a := range as {
		if stored := found.at(keys[i]); stored != nil {
			out[a] = stored
		}
	}
	return out, nil
}

// DevicesByUser returns all devices of the users, by user, each user's by id.
func (s *Store) DevicesByUser(ctx context.Context, tenant string, users []string) (map[string][]push.Device, error) {
	users = slices.Clone(users)
	slices.Sort(users)
	users = slices.Compact(users)
	var mu sync.Mutex
	var entries []item
	err := concurrently(ctx, len(users), func(ctx context.Context, i int) error {
		if users[i] == "" {
			return nil // devices without a user are nobody's
		}
		m := s.merge(attrID, false, queries{s.indexQuery(s.devices, indexByUser, attrUser, userKey(tenant, users[i]), attrID, "", "")})
		for {
			entry, err := m.next(ctx)
			if err != nil || entry == nil {
				return err
			}
			mu.Lock()
			entries = append(entries, entry)
			mu.Unlock()
		}
	})
	var all []push.Device
	if err == nil {
		all, err = s.appendDevices(ctx, nil, entries, false,
			func(i item) item { return i.key(attrPK, attrSK) },
			func(entry item, d *push.Device) bool { return userKey(tenant, d.UserID) == entry.text(attrUser) })
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
	keys := make([]item, len(ids))
	for i, id := range ids {
		keys[i] = pointerKey(tenant, id)
	}
	pointers, err := s.batchGet(ctx, s.devices, keys, true)
	var all []push.Device
	if err == nil {
		all, err = s.appendDevices(ctx, nil, pointers, true,
			func(i item) item { return deviceKey(i.text(attrAddress)) },
			func(entry item, d *push.Device) bool { return string(d.ID) == entry.text(attrSK) })
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
