package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// rows returns a page's recipients with addresses. Resolving users and devices
// is a query whose answer changes, so its first result is stored as a page and
// used ever after.
func (f *Fanout) rows(ctx context.Context, n *push.Notification, page int) ([]push.Recipient, error) {
	source, err := f.source(ctx, n, page)
	if err != nil || !needsResolving(source) {
		return source, err
	}
	if stored, err := f.Pages.Page(ctx, n.ID, push.PagePlan, page); err == nil {
		return decodePage(stored, page)
	} else if !errors.Is(err, push.ErrNotFound) {
		return nil, fmt.Errorf("read resolved page %d: %w", page, err)
	}
	resolved, err := f.resolve(ctx, n.Tenant, source)
	if err != nil {
		return nil, err
	}
	data, err := wire.EncodeRecipients(resolved)
	if err != nil {
		return nil, err
	}
	if len(data) > push.MaxPageBytes {
		return nil, &unexpandableError{fmt.Sprintf("page %d resolves to %d bytes of recipients, at most %d fit", page, len(data), push.MaxPageBytes)}
	}
	stored, err := f.Pages.PutPage(ctx, n.ID, push.PagePlan, page, data)
	if err != nil {
		return nil, fmt.Errorf("store resolved page %d: %w", page, err)
	}
	return decodePage(stored, page)
}

func (f *Fanout) source(ctx context.Context, n *push.Notification, page int) ([]push.Recipient, error) {
	if !n.ID.IsBatch() {
		return n.Target.Recipients(), nil
	}
	data, err := f.Pages.Page(ctx, n.ID, push.PageUpload, page)
	if errors.Is(err, push.ErrNotFound) {
		return nil, &unexpandableError{fmt.Sprintf("upload page %d is missing", page)}
	}
	if err != nil {
		return nil, fmt.Errorf("read upload page %d: %w", page, err)
	}
	return decodePage(data, page)
}

// decodePage reads a stored page. One that is broken stays so; one that a newer
// version wrote can be read after an upgrade.
func decodePage(data []byte, page int) ([]push.Recipient, error) {
	rs, err := wire.DecodeRecipients(data)
	switch {
	case err == nil:
		return rs, nil
	case errors.Is(err, wire.ErrForeign):
		return nil, &unexpandableError{fmt.Sprintf("page %d is broken: %s", page, err)}
	}
	return nil, fmt.Errorf("read page %d: %w", page, err)
}

func needsResolving(rs []push.Recipient) bool {
	for i := range rs {
		if unresolved(&rs[i]) {
			return true
		}
	}
	return false
}

// unresolved tells whether a recipient's addresses are still to be looked up. A
// duplicate's never are: whatever they would be, it is not sent to.
func unresolved(r *push.Recipient) bool { return r.Address.IsZero() && r.DuplicateOf == 0 }

// lookupBatch is how many keys one registry call takes.
const lookupBatch = 1000

// resolve replaces every user and device id by its addresses. One without any
// keeps a row without address, which becomes the outcome no_device.
func (f *Fanout) resolve(ctx context.Context, tenant string, rs []push.Recipient) ([]push.Recipient, error) {
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
		byUser, err := f.Devices.DevicesByUser(ctx, tenant, users)
		if err != nil {
			return nil, fmt.Errorf("resolve %d users: %w", len(users), err)
		}
		byID, err := f.Devices.DevicesByID(ctx, tenant, ids)
		if err != nil {
			return nil, fmt.Errorf("resolve %d devices: %w", len(ids), err)
		}
		for i := range part {
			out = appendResolved(out, part[i], byUser, byID)
		}
	}
	return out, nil
}

func appendResolved(out []push.Recipient, r push.Recipient, byUser map[string][]push.Device, byID map[push.ID]push.Device) []push.Recipient {
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

// newKnownCache keeps recent lookups of sendable devices: users who get several
// notifications within half a minute cost one. A device quarantined meanwhile is
// sent to once more, which FCM answers the same way. A quarantined one is looked
// up every time: it may have been restored, and would get nothing.
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

// screen returns the cells of a chunk's recipients: open, or the outcome that
// needs no sending. Duplicates are those that the upload has marked, and rows of
// the page that resolved to an address which is there already. It marks rows whose last success wants renewal, and records
// addresses that the registry does not know.
func (f *Fanout) screen(ctx context.Context, tenant string, rs []push.Recipient, seen map[push.Address]struct{}) ([]ledger.Cell, error) {
	cells := make([]ledger.Cell, len(rs))
	var ask []push.Address
	for i := range rs {
		a := rs[i].Address
		if rs[i].DuplicateOf > 0 {
			cells[i] = ledger.CellOf(push.CodeDuplicate, false)
			continue
		}
		if a.IsZero() {
			cells[i] = ledger.CellOf(push.CodeNoDevice, false)
			continue
		}
		if _, twice := seen[a]; twice {
			cells[i] = ledger.CellOf(push.CodeDuplicate, false)
			continue
		}
		seen[a] = struct{}{}
		if _, cached := f.known.GetIfPresent(knownKey{tenant, a}); a.Kind.IsDevice() && !cached {
			ask = append(ask, a)
		}
	}
	found, err := f.lookup(ctx, tenant, ask)
	if err != nil {
		return nil, err
	}
	var unknown []push.Device
	now := f.Now().UTC()
	for i := range rs {
		r := &rs[i]
		if !cells[i].Open() || !r.Address.Kind.IsDevice() {
			continue
		}
		k, ok := found[r.Address]
		if !ok {
			k, ok = f.known.GetIfPresent(knownKey{tenant, r.Address})
		}
		switch {
		case !ok && !f.RecordUnknown:
		case !ok:
			unknown = append(unknown, seenDevice(tenant, r, now))
			r.Renew = true
		case !k.Sendable:
			cells[i] = ledger.CellOf(push.CodeDeviceQuarantined, false)
		default:
			r.Renew = now.Sub(k.LastSuccessAt) > push.SuccessGrain
		}
	}
	if len(unknown) > 0 {
		if err := f.Devices.RecordDevices(ctx, unknown); err != nil {
			return nil, fmt.Errorf("record %d unknown devices: %w", len(unknown), err)
		}
	}
	return cells, nil
}

func (f *Fanout) lookup(ctx context.Context, tenant string, ask []push.Address) (map[push.Address]push.Reach, error) {
	if len(ask) == 0 {
		return nil, nil
	}
	found, err := f.Devices.ReachByAddress(ctx, tenant, ask)
	if err != nil {
		return nil, fmt.Errorf("look up %d addresses: %w", len(ask), err)
	}
	for a, reach := range found {
		if reach.Sendable {
			f.known.Set(knownKey{tenant, a}, reach)
		}
	}
	return found, nil
}

// seenDevice is the record of an address first met as the target of a send. Its
// id follows from the address, so that two dispatchers record the same device.
func seenDevice(tenant string, r *push.Recipient, now time.Time) push.Device {
	return push.Device{
		Tenant: tenant, ID: push.DerivedID(push.PrefixDevice, tenant, string(r.Address.Kind)+":"+r.Address.Value.Reveal()),
		Address: r.Address, UserID: r.UserID, State: push.DeviceActive, Source: push.SourceSend, CreatedAt: now, UpdatedAt: now,
	}
}
