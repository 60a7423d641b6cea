package devicetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/push"
)

// Memory is the device registry in maps, for tests of what stands on it: the
// contract of [device.Store] in its shortest form, which passes the suite. Its
// lookups other than by id and address look at everything: O(n). The zero value is
// ready; safe for concurrent use.
//
// A test may set what is stored by [Memory.SetDevice], past all conditions. Faults
// are put around it with [Around].
type Memory struct {
	mu      sync.Mutex
	devices map[idOf]push.Device
	holders map[addressOf]push.ID
}

// idOf and addressOf are what is unique in the registry.
type (
	idOf struct {
		tenant string
		id     push.ID
	}
	addressOf struct {
		tenant  string
		address push.Address
	}
)

var _ device.Store = (*Memory)(nil)

// locked runs f under the lock, with all maps made, unless ctx has ended.
func (m *Memory) locked(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.devices == nil {
		m.devices, m.holders = map[idOf]push.Device{}, map[addressOf]push.ID{}
	}
	f()
	return nil
}

// SetDevice stores devices as they are, state and history included, in place of
// those with their ids and addresses.
func (m *Memory) SetDevice(ds ...push.Device) {
	_ = m.locked(context.Background(), func() {
		for i := range ds {
			m.set(ds[i])
		}
	})
}

// AllDevices returns the devices of all tenants, by tenant and id.
func (m *Memory) AllDevices() (all []push.Device) {
	_ = m.locked(context.Background(), func() { all = m.match(func(*push.Device) bool { return true }) })
	return all
}

// set stores d; the caller holds the lock. (tenant, address) stays unique: another
// device that held d's address is removed.
func (m *Memory) set(d push.Device) {
	m.remove(d.Tenant, d.ID)
	if other, held := m.holders[addressOf{d.Tenant, d.Address}]; held {
		m.remove(d.Tenant, other)
	}
	m.devices[idOf{d.Tenant, d.ID}], m.holders[addressOf{d.Tenant, d.Address}] = copied(d), d.ID
}

// remove removes a device and reports whether there was one; the caller holds the
// lock.
func (m *Memory) remove(tenant string, id push.ID) bool {
	d, there := m.devices[idOf{tenant, id}]
	if there {
		delete(m.devices, idOf{tenant, id})
		delete(m.holders, addressOf{tenant, d.Address})
	}
	return there
}

// match returns the devices that take accepts, by tenant and id; the caller holds
// the lock.
func (m *Memory) match(take func(d *push.Device) bool) (found []push.Device) {
	for _, d := range m.devices {
		if take(&d) {
			found = append(found, copied(d))
		}
	}
	slices.SortFunc(found, func(a, b push.Device) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(string(a.ID), string(b.ID)))
	})
	return found
}

// holder returns the device that holds an address; the caller holds the lock.
func (m *Memory) holder(tenant string, a push.Address) (push.Device, bool) {
	id, held := m.holders[addressOf{tenant, a}]
	return m.devices[idOf{tenant, id}], held
}

// copied shares no attributes with d.
func copied(d push.Device) push.Device {
	d.Attributes = maps.Clone(d.Attributes)
	return d
}

// PutDevices implements [device.Store].
func (m *Memory) PutDevices(ctx context.Context, ds []push.Device) error {
	return m.locked(ctx, func() {
		for _, d := range ds {
			if old, there := m.devices[idOf{d.Tenant, d.ID}]; there {
				d.CreatedAt = old.CreatedAt
				d.LastSuccessAt, d.LastFailureAt, d.LastFailure = old.LastSuccessAt, old.LastFailureAt, old.LastFailure
			}
			d.State, d.QuarantinedAt = push.DeviceActive, time.Time{}
			m.set(d)
		}
	})
}

// Device implements [device.Store].
func (m *Memory) Device(ctx context.Context, tenant string, id push.ID) (d push.Device, err error) {
	there := false
	err = m.locked(ctx, func() { d, there = m.devices[idOf{tenant, id}] })
	return copied(d), cmp.Or(err, known(there))
}

// known returns push.ErrNotFound for a device that is not there.
func known(there bool) error {
	if there {
		return nil
	}
	return push.ErrNotFound
}

// ChangeDevice implements [device.Store].
func (m *Memory) ChangeDevice(
	ctx context.Context, tenant string, id push.ID, change func(d *push.Device) error,
) (d push.Device, err error) {
	there := false
	var failed error
	err = m.locked(ctx, func() {
		if d, there = m.devices[idOf{tenant, id}]; !there {
			return
		}
		d = copied(d)
		if failed = change(&d); failed == nil {
			m.devices[idOf{tenant, id}] = copied(d)
		}
	})
	return d, cmp.Or(err, failed, known(there))
}

// DeleteDevice implements [device.Store].
func (m *Memory) DeleteDevice(ctx context.Context, tenant string, id push.ID) error {
	there := false
	err := m.locked(ctx, func() { there = m.remove(tenant, id) })
	return cmp.Or(err, known(there))
}

// Devices implements [device.Store]; its cursor is the last id, with a mark that
// no other listing gives.
func (m *Memory) Devices(ctx context.Context, tenant, userID, cursor string, limit int) (page []push.Device, next string, err error) {
	const mark = "after:"
	after, ok := strings.CutPrefix(cursor, mark)
	if !ok && cursor != "" {
		return nil, "", push.ErrCursor
	}
	err = m.locked(ctx, func() {
		page = m.match(func(d *push.Device) bool {
			return d.Tenant == tenant && (userID == "" || d.UserID == userID) && string(d.ID) > after
		})
	})
	if len(page) > limit {
		page = page[:limit]
		next = mark + string(page[limit-1].ID)
	}
	return page, next, err
}

// DevicesByAddress implements [device.Store].
func (m *Memory) DevicesByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Device, error) {
	found := map[push.Address]push.Device{}
	err := m.locked(ctx, func() {
		for _, a := range as {
			if d, held := m.holder(tenant, a); held {
				found[a] = copied(d)
			}
		}
	})
	return found, err
}

// ReachByAddress implements [device.Store].
func (m *Memory) ReachByAddress(ctx context.Context, tenant string, as []push.Address) (map[push.Address]push.Reach, error) {
	found := map[push.Address]push.Reach{}
	err := m.locked(ctx, func() {
		for _, a := range as {
			if d, held := m.holder(tenant, a); held {
				found[a] = push.Reach{Sendable: d.Sendable(), LastSuccessAt: d.LastSuccessAt, Platform: d.Platform}
			}
		}
	})
	return found, err
}

// DevicesByUser implements [device.Store].
func (m *Memory) DevicesByUser(ctx context.Context, tenant string, users []string) (map[string][]push.Device, error) {
	found := map[string][]push.Device{}
	err := m.locked(ctx, func() {
		for _, d := range m.match(func(d *push.Device) bool {
			return d.Tenant == tenant && d.UserID != "" && slices.Contains(users, d.UserID)
		}) {
			found[d.UserID] = append(found[d.UserID], d)
		}
	})
	return found, err
}

// DevicesByID implements [device.Store].
func (m *Memory) DevicesByID(ctx context.Context, tenant string, ids []push.ID) (map[push.ID]push.Device, error) {
	found := map[push.ID]push.Device{}
	err := m.locked(ctx, func() {
		for _, id := range ids {
			if d, there := m.devices[idOf{tenant, id}]; there {
				found[id] = copied(d)
			}
		}
	})
	return found, err
}

// RecordDevices implements [device.Store].
func (m *Memory) RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	return m.locked(ctx, func() {
		for i := range notes {
			if _, held := m.holder(tenant, notes[i].Address); !held {
				m.set(m.seen(tenant, &notes[i]))
			}
		}
	})
}

// seen returns the device that a note makes; the caller holds the lock. If its id is taken,
// it gets a new one.
func (m *Memory) seen(tenant string, n *push.DeviceNote) push.Device {
	d := n.Seen(tenant)
	d.ID = push.SeenID(tenant, n.Address)
	if _, taken := m.devices[idOf{tenant, d.ID}]; taken {
		d.ID = push.NewID(push.PrefixDevice)
	}
	return d
}

// NoteDevices implements [device.Store]; it returns the quarantined devices in the
// order of the notes.
func (m *Memory) NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) (quarantined []push.Device, err error) {
	var gone []push.ID
	err = m.locked(ctx, func() {
		for i := range notes {
			d, held := m.holder(tenant, notes[i].Address)
			before := d.State
			switch {
			case held:
				notes[i].Apply(&d)
			case notes[i].Record:
				d, before = m.seen(tenant, &notes[i]), push.DeviceActive
			default:
				continue
			}
			m.set(d)
			if d.State != before {
				gone = append(gone, d.ID)
			}
		}
		for _, id := range gone { // as they are after the last note
			quarantined = append(quarantined, copied(m.devices[idOf{tenant, id}]))
		}
	})
	return quarantined, err
}

// RestoreDevice implements [device.Store].
func (m *Memory) RestoreDevice(ctx context.Context, tenant string, id push.ID) (d push.Device, err error) {
	there := false
	err = m.locked(ctx, func() {
		if d, there = m.devices[idOf{tenant, id}]; there {
			d.State, d.QuarantinedAt = push.DeviceActive, time.Time{}
			m.devices[idOf{tenant, id}] = d
		}
	})
	return copied(d), cmp.Or(err, known(there))
}

// PurgeQuarantined implements [device.Store].
func (m *Memory) PurgeQuarantined(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = m.locked(ctx, func() {
		old := m.match(func(d *push.Device) bool { return d.State == push.DeviceQuarantined && d.QuarantinedAt.Before(before) })
		slices.SortStableFunc(old, func(a, b push.Device) int { return a.QuarantinedAt.Compare(b.QuarantinedAt) })
		n = min(limit, len(old))
		for i := range n {
			m.remove(old[i].Tenant, old[i].ID)
		}
	})
	return n, err
}
