package devices

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/packed"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// ReachByAddress returns what a send must know of the devices among the
// addresses. It reads a row's bytes where they are and makes nothing of them but
// that: a whole device takes twice the time.
func (s *Store) ReachByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error) {
	found, err := s.reachByAddress(ctx, tenant, as)
	if err != nil {
		return nil, fmt.Errorf("reach of %d addresses: %w", len(as), err)
	}
	return found, nil
}

func (s *Store) reachByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error) {
	wanted := make(map[int64]push.Address, len(as))
	for _, a := range as {
		key := addressKey(tenant, a)
		if other, taken := wanted[key]; taken && other != a { // once in many millions
			return s.reachOfDevices(ctx, tenant, as)
		}
		wanted[key] = a
	}
	found := make(map[push.Address]push.Reach, len(as))
	err := rows.Short(ctx, s.file.Read(), func(ctx context.Context, q rows.Querier) error {
		return s.reach(ctx, q, tenant, wanted, found)
	})
	return found, err
}

// reach looks for devices of either kind, and takes those it finds out of wanted.
func (s *Store) reach(
	ctx context.Context, q rows.Querier, tenant string, wanted map[int64]push.Address, found map[push.Address]push.Reach,
) error {
	look := [...]func(context.Context, rows.Querier, string, map[int64]push.Address, map[push.Address]push.Reach) (int, error){
		reachRegistered, reachSeen,
	}
	first := 0
	if s.seenFirst.Load() {
		first = 1
	}
	n, err := look[first](ctx, q, tenant, wanted, found)
	if err != nil || len(wanted) == 0 {
		return err
	}
	others, err := look[1-first](ctx, q, tenant, wanted, found)
	if others > n {
		s.seenFirst.Store(first == 0)
	}
	return err
}

// reachRegistered finds registered devices, takes them out of wanted and returns how many.
func reachRegistered(ctx context.Context, q rows.Querier, tenant string, wanted map[int64]push.Address, found map[push.Address]push.Reach) (
	int, error,
) {
	n := 0
	var key, quarantined int64
	var of, body sql.RawBytes
	err := rows.Each(ctx, q, func(row rows.Scanner) error {
		if err := row.Scan(&key, &of, &quarantined, &body); err != nil {
			return err
		}
		a := wanted[key]
		if string(of) != tenant {
			return nil
		}
		reach, same, err := decodeReach(body, a)
		if err == nil && same { // another address may have the same key
			reach.Sendable = quarantined == 0
			found[a] = reach
			delete(wanted, key)
			n++
		}
		return err
	}, `SELECT address_key, tenant, quarantined_at, body FROM device WHERE address_key IN (SELECT value FROM json_each(?))`, keysOf(wanted))
	return n, err
}

// reachSeen is reachRegistered of devices that only sends know.
func reachSeen(ctx context.Context, q rows.Querier, tenant string, wanted map[int64]push.Address, found map[push.Address]push.Reach) (
	int, error,
) {
	n := 0
	var seq, key, quarantined int64
	var body sql.RawBytes
	err := rows.Each(ctx, q, func(row rows.Scanner) error {
		if err := row.Scan(&seq, &key, &quarantined, &body); err != nil || len(body) == 0 {
			return err
		}
		b, err := readSeen(body)
		if err != nil {
			return fmt.Errorf("device seen as %d: %w", seq, err)
		}
		if a := wanted[key]; b.kind == a.Kind && bytes.Equal(b.value, []byte(a.Value)) {
			found[a] = push.Reach{Sendable: quarantined == 0, LastSuccessAt: rows.FromMicros(b.success)}
			delete(wanted, key)
			n++
		}
		return nil
	}, selectSeen+keyIn, tenant, keysOf(wanted))
	return n, err
}

// keysOf returns the keys as a JSON array.
func keysOf(wanted map[int64]push.Address) string { return jsonList(slices.Collect(maps.Keys(wanted))) }

// reachOfDevices is the long way, for addresses that share a key.
func (s *Store) reachOfDevices(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error) {
	devices, err := s.DevicesByAddress(ctx, tenant, as)
	found := make(map[push.Address]push.Reach, len(devices))
	for a, d := range devices {
		found[a] = push.Reach{Sendable: d.Sendable(), LastSuccessAt: d.LastSuccessAt, Platform: d.Platform}
	}
	return found, err
}

// decodeReach reads the part of a body that is before the last success, see
// encodeDevice, and reports whether it is a device of that address.
func decodeReach(body []byte, a push.Address) (push.Reach, bool, error) {
	if err := checkFormat(body); err != nil {
		return push.Reach{}, false, err
	}
	r := packed.Reader{Left: body[1:]}
	kind, value := r.Bytes(), r.Bytes()
	platform := platformOf(r.Bytes())
	const others = 4 // texts: locale, time zone, version, source
	for range others {
		r.Bytes()
	}
	r.Code()
	at := rows.FromMicros(r.Signed())
	if r.Bad {
		return push.Reach{}, false, errDevice
	}
	same := string(kind) == string(a.Kind) && bytes.Equal(value, []byte(a.Value))
	return push.Reach{LastSuccessAt: at, Platform: platform}, same, nil
}

// platformOf makes no copy of what nearly all devices have.
func platformOf(b []byte) push.Platform {
	switch string(b) {
	case "":
		return ""
	case string(push.PlatformAndroid):
		return push.PlatformAndroid
	case string(push.PlatformIOS):
		return push.PlatformIOS
	case string(push.PlatformWeb):
		return push.PlatformWeb
	default:
		return push.Platform(b)
	}
}
