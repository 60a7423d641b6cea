package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// registry asks the device registry, and changes nothing in it.
type registry struct {
	finder Finder
	known  *otter.Cache[knownKey, push.Reach] // nil: every question is asked anew
}

// lookupBatch is how many keys one registry call takes.
const lookupBatch = 1000

// resolve replaces every user and device id by its addresses. An id without addresses
// keeps a row without one, which gets the outcome no_device.
func (g *registry) resolve(ctx context.Context, tenant string, rs []push.Recipient) ([]push.Recipient, error) {
	out := make([]push.Recipient, 0, len(rs))
	for start := 0; start < len(rs); start += lookupBatch {
		part := rs[start:min(start+lookupBatch, len(rs))]
		var users []string
		var ids []push.ID
		for i := range part {
			switch r := &part[i]; {
			case !unresolved(r):
			case r.UserID != "":
				users = append(users, r.UserID)
			default:
				ids = append(ids, r.DeviceID)
			}
		}
		byUser, err := g.finder.DevicesByUser(ctx, tenant, users)
		if err != nil {
			return nil, fmt.Errorf("resolve %d users: %w", len(users), err)
		}
		byID, err := g.finder.DevicesByID(ctx, tenant, ids)
		if err != nil {
			return nil, fmt.Errorf("resolve %d devices: %w", len(ids), err)
		}
		for i := range part {
			out = appendResolved(out, part[i], byUser, byID)
		}
	}
	return out, nil
}

func appendResolved(out []push.Recipient, r push.Recipient, byUser map[string][]push.Device,
	byID map[push.ID]push.Device,
) []push.Recipient {
	if !unresolved(&r) {
		return append(out, r)
	}
	if d, ok := byID[r.DeviceID]; ok && r.UserID == "" {
		r.Address = d.Address
		return append(out, r)
	}
	devices := byUser[r.UserID]
	if r.UserID == "" || len(devices) == 0 {
		return append(out, r)
	}
	for i := range devices {
		row := r
		row.Address, row.DeviceID = devices[i].Address, devices[i].ID
		out = append(out, row)
	}
	return out
}

type knownKey struct {
	tenant  string
	address push.Address
}

// newKnownCache returns a cache of recent lookups of sendable devices, so that several
// notifications to a user within half a minute cost one lookup. A device that was
// quarantined meanwhile is sent to once more, and FCM gives the same answer. Quarantined
// devices are not cached: one that was restored would get nothing.
func newKnownCache() (*otter.Cache[knownKey, push.Reach], error) {
	const entries, keep = 100_000, 30 * time.Second
	c, err := otter.New(&otter.Options[knownKey, push.Reach]{
		MaximumSize: entries, ExpiryCalculator: otter.ExpiryWriting[knownKey, push.Reach](keep),
	})
	if err != nil {
		return nil, fmt.Errorf("device cache: %w", err)
	}
	return c, nil
}

// judge asks about the recipients whose cells are open, and writes into the cells which of
// these are quarantined. It returns which recipients it has asked about and, parallel, what
// the registry knows of them.
func (g *registry) judge(ctx context.Context, tenant string, rs []push.Recipient, cells []ledger.Cell) ([]int, []reach, error) {
	ask := make([]int, 0, len(cells))
	for i := range cells {
		if cells[i].Open() {
			ask = append(ask, i)
		}
	}
	found, err := g.lookUp(ctx, tenant, rs, ask)
	if err != nil {
		return nil, nil, err
	}
	for at, i := range ask {
		if k := found[at]; k.known && !k.Sendable {
			cells[i] = ledger.CellOf(push.CodeDeviceQuarantined, false)
		}
	}
	return ask, found, nil
}

// reach is what the registry says of a device.
type reach struct {
	push.Reach

	known bool
}

// lookUp returns what the registry, or its cache, knows of the recipients, and writes
// their platforms into them, because pages do not keep those. No other place asks the
// registry about addresses.
func (g *registry) lookUp(ctx context.Context, tenant string, rs []push.Recipient, which []int) ([]reach, error) {
	all := make([]reach, len(which))
	var ask []push.Address
	for at, i := range which {
		a := rs[i].Address
		if !a.Kind.IsDevice() {
			continue
		}
		if all[at] = g.remembered(knownKey{tenant, a}); !all[at].known {
			ask = append(ask, a)
		}
	}
	if len(ask) > 0 {
		found, err := g.finder.ReachByAddress(ctx, tenant, ask)
		if err != nil {
			return nil, fmt.Errorf("look up %d addresses: %w", len(ask), err)
		}
		for at, i := range which {
			if all[at].known {
				continue
			}
			k, known := found[rs[i].Address]
			if all[at] = (reach{k, known}); k.Sendable && g.known != nil {
				g.known.Set(knownKey{tenant, rs[i].Address}, k)
			}
		}
	}
	for at, i := range which {
		rs[i].Platform = all[at].Platform
	}
	return all, nil
}

func (g *registry) remembered(key knownKey) (r reach) {
	if g.known != nil {
		r.Reach, r.known = g.known.GetIfPresent(key)
	}
	return r
}
