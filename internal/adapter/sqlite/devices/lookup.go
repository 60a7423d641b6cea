package devices

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// DevicesByAddress returns the devices among the addresses.
func (s *Store) DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Device, error) {
	// Those that only sends know come first: a device goes from there to the registered ones,
	// and never back.
	seen, err := seenByAddress(ctx, s.file.Read(), tenant, as)
	var found map[push.Address]push.Device
	if err == nil {
		found, err = registeredByAddress(ctx, s.file.Read(), tenant, as)
	}
	if err != nil {
		return nil, fmt.Errorf("devices of %d addresses: %w", len(as), err)
	}
	for a, d := range seen {
		if _, ok := found[a]; !ok {
			found[a] = d.Device
		}
	}
	return found, nil
}

func registeredByAddress(ctx context.Context, q rows.Querier, tenant string, as []push.Address) (map[push.Address]push.Device, error) {
	wanted := make(map[push.Address]bool, len(as))
	keys := make([]int64, len(as))
	for i, a := range as {
		wanted[a] = true
		keys[i] = addressKey(tenant, a)
	}
	found := make(map[push.Address]push.Device, len(as))
	err := eachDevice(ctx, q, func(d push.Device) {
		if d.Tenant == tenant && wanted[d.Address] { // another address may have the same key
			found[d.Address] = d
		}
	}, `WHERE address_key IN (SELECT value FROM json_each(?))`, jsonList(keys))
	return found, err
}

// jsonList returns the numbers as a JSON array, which one parameter can hold.
func jsonList(numbers []int64) string {
	const digits = 21 // of an int64, with sign and comma
	list := make([]byte, 0, digits*len(numbers)+2)
	list = append(list, '[')
	for i, n := range numbers {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, n, 10)
	}
	return string(append(list, ']'))
}

// DevicesByUser returns all devices of the users, by user.
func (s *Store) DevicesByUser(ctx context.Context, tenant string, users []string) (map[string][]push.Device, error) {
	found := make(map[string][]push.Device, len(users))
	list, err := json.Marshal(users)
	if err == nil {
		err = eachDevice(ctx, s.file.Read(), func(d push.Device) { found[d.UserID] = append(found[d.UserID], d) },
			byUser+`IN (SELECT value FROM json_each(?)) ORDER BY user_id, id`, tenant, string(list))
	}
	if err != nil {
		return nil, fmt.Errorf("devices of %d users: %w", len(users), err)
	}
	return found, nil
}

// DevicesByID returns the devices among the ids.
func (s *Store) DevicesByID(ctx context.Context, tenant string, ids []push.ID) (map[push.ID]push.Device, error) {
	found := make(map[push.ID]push.Device, len(ids))
	err := seenByID(ctx, s.file.Read(), tenant, ids, func(d seenRow) { found[d.ID] = d.Device })
	if err == nil {
		err = registeredByID(ctx, s.file.Read(), tenant, ids, func(d push.Device) { found[d.ID] = d })
	}
	if err != nil {
		return nil, fmt.Errorf("devices of %d ids: %w", len(ids), err)
	}
	return found, nil
}

func registeredByID(ctx context.Context, q rows.Querier, tenant string, ids []push.ID, visit func(push.Device)) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return eachDevice(ctx, q, visit, `WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))`, tenant, string(list))
}

// eachDevice visits the devices that a condition selects.
func eachDevice(ctx context.Context, q rows.Querier, visit func(push.Device), where string, args ...any) error {
	return rows.Each(ctx, q, func(row rows.Scanner) error {
		d, err := scanDevice(row)
		if err == nil {
			visit(d)
		}
		return err
	}, selectDevice+where, args...)
}
