package devices

import (
	"context"
	"errors"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// A device that only sends know is one item, by the id that follows from its address:
//
//	pk S#<first digit of the id>#<tenant>   sk <id>
//
// Found by address, by id and in the order of ids without a pointer or an index, it costs
// one write unit. The place is the arbiter of its address: whoever makes a device of an
// address that has none writes there first, on condition of what is there. So a
// registration leaves a mark: an item without a device, which says to look where registered
// devices are. A mark is also made in the place of an id that a device at
// another address takes. One that a crash leaves has that address looked up in both places,
// and recorded only when it is dead.
const (
	seenPrefix = "S#"
	// seenShards are as many as there are digits, so a tenant finds room for 16,000 new
	// devices a second.
	seenShards = "0123456789abcdef"
)

func seenPartition(tenant, digit string) string { return seenPrefix + digit + "#" + tenant }

// seenKey is the place of an id of the form of [push.SeenID].
func seenKey(tenant string, id push.ID) table.Item {
	const before = len(push.PrefixDevice) + 1
	return table.Item{
		table.AttrPK: table.Text(seenPartition(tenant, string(id[before:before+1]))), table.AttrSK: table.Text(string(id)),
	}
}

// seenKeyAt is the place of an address.
func seenKeyAt(tenant string, a push.Address) table.Item {
	return seenKey(tenant, push.SeenID(tenant, a))
}

// inSeen reports whether an item is in the place of an address, be it device or mark.
func inSeen(i table.Item) bool { return strings.HasPrefix(i.Text(table.AttrPK), seenPrefix) }

// isSeen reports whether an item is a device that only sends know.
func isSeen(i table.Item) bool { return inSeen(i) && i.Has(attrValue) }

// placeName is a device's place as a text that is unique within its tenant.
func placeName(i table.Item) string {
	if inSeen(i) {
		return i.Text(table.AttrSK)
	}
	return i.Text(table.AttrPK)
}

// placeNamed is the key that [placeName] names.
func placeNamed(tenant, name string) table.Item {
	if _, ok := push.SeenKeyOf(push.ID(name)); ok {
		return seenKey(tenant, push.ID(name))
	}
	return deviceKey(name)
}

// What a mark stands for, in attrMarks.
const (
	markAddress = "a" // the address is registered, or about to be
	markID      = "i" // the id is, or is about to be, that of a device at another address
)

// mark writes a mark into a place, on condition that it holds what was read there.
func (s *Store) mark(ctx context.Context, key, now table.Item, marks string) error {
	w := s.db.NewNonce()
	i := key.Key(table.AttrPK, table.AttrSK)
	i[attrMarks], i[table.AttrWrite] = table.Text(marks), w.Value()
	var e table.Expression
	if now == nil {
		e.Absent(table.AttrPK)
	} else {
		e.Equal(table.AttrWrite, now[table.AttrWrite])
	}
	_, err := s.db.Put(ctx, s.devices, i, e, false)
	if err == nil {
		return nil
	}
	found, won := s.db.Winner(ctx, err)
	if won == nil && found.NonceAt(table.AttrWrite) == w { // our own write, whose answer got lost
		return nil
	}
	return errors.Join(err, won)
}

// with adds what a mark stands for to what is in a place.
func with(now table.Item, mark string) string {
	if old := now.Text(attrMarks); !strings.Contains(old, mark) {
		return old + mark
	}
	return now.Text(attrMarks)
}

// freed is a place that a device leaves, as it was read before.
type freed struct {
	place table.Item
	mark  string // that goes
}

// marksOf returns the marks that a registered device has: of its address, and of its id if
// that goes too.
func (s *Store) marksOf(ctx context.Context, device table.Item, id bool) ([]freed, error) {
	if inSeen(device) {
		return nil, nil
	}
	d, err := decodeDevice(device)
	if err != nil {
		return nil, err
	}
	keys, marks := []table.Item{seenKeyAt(d.Tenant, d.Address)}, []string{markAddress}
	if id && owns(&d) {
		keys, marks = append(keys, seenKey(d.Tenant, d.ID)), append(marks, markID)
	}
	found, err := s.deviceItems(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	var out []freed
	for i := range keys {
		if place := found.at(keys[i]); strings.Contains(place.Text(attrMarks), marks[i]) {
			out = append(out, freed{place, marks[i]})
		}
	}
	return out, nil
}

// free takes marks away, unless somebody has marked the place anew.
func (s *Store) free(ctx context.Context, places []freed) error {
	for _, f := range places {
		var err error
		if left := strings.Replace(f.place.Text(attrMarks), f.mark, "", 1); left != "" {
			err = s.mark(ctx, f.place, f.place, left)
		} else {
			var e table.Expression
			e.Equal(table.AttrWrite, f.place[table.AttrWrite])
			err = s.db.Remove(ctx, s.devices, f.place.Key(table.AttrPK, table.AttrSK), e)
		}
		if err := table.UnlessLost(err); err != nil {
			return err
		}
	}
	return nil
}

// hasRegistered reports whether a tenant has registered devices, or had any when this
// process first asked. A registered device without a mark is from before there were marks:
// only a tenant that has some needs a second look at addresses without either.
func (s *Store) hasRegistered(ctx context.Context, tenant string) (bool, error) {
	if has, ok := s.registered.Load(tenant); ok {
		return has == true, nil
	}
	first, err := s.db.Merge(table.AttrSK, false, s.pointerQueries(tenant, "", 1)).Take(ctx, 1)
	if err != nil {
		return false, err
	}
	s.registered.Store(tenant, len(first) > 0)
	return len(first) > 0, nil
}
