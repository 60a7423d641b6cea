package devices

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of the device registry. It is safe for concurrent use;
// every write is durable when it returns.
type Store struct {
	file *db.DB

	// seenFirst says in which table look-ups for sends begin: where the last one found more.
	seenFirst atomic.Bool
}

// New returns the driver on a file that has the tables of [Schema].
func New(file *db.DB) *Store { return &Store{file: file} }

const (
	selectDevice = `SELECT tenant, id, user_id, quarantined_at, body FROM device `
	// byUser names its index: the planner, which knows nothing of how many devices
	// a tenant has, would rather walk through all of them.
	byUser = `INDEXED BY device_by_user WHERE tenant = ? AND user_id <> '' AND user_id `
)

// Device returns one device, or push.ErrNotFound.
func (s *Store) Device(ctx context.Context, tenant string, id push.ID) (push.Device, error) {
	d, err := oneDevice(ctx, s.file.Read(), tenant, id)
	if err != nil {
		return push.Device{}, fmt.Errorf("device %s: %w", id, err)
	}
	return d, nil
}

// oneDevice returns a device of either table, or push.ErrNotFound.
func oneDevice(ctx context.Context, q rows.Querier, tenant string, id push.ID) (push.Device, error) {
	d, err := oneRegistered(ctx, q, tenant, id)
	if errors.Is(err, push.ErrNotFound) {
		var found seenRow
		found, err = oneSeen(ctx, q, tenant, id)
		d = found.Device
	}
	return d, err
}

func oneRegistered(ctx context.Context, q rows.Querier, tenant string, id push.ID) (push.Device, error) {
	d, err := scanDevice(q.QueryRowContext(ctx, selectDevice+`WHERE tenant = ? AND id = ?`, tenant, id))
	return d, rows.Found(err)
}

// DeleteDevice removes a device, or returns push.ErrNotFound.
func (s *Store) DeleteDevice(ctx context.Context, tenant string, id push.ID) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		ok, err := rows.Changed(tx.ExecContext(ctx, deleteDevice, tenant, id))
		if err == nil && ok {
			return freeID(ctx, tx, tenant, id)
		}
		var found seenRow
		if err == nil {
			found, err = oneSeen(ctx, tx, tenant, id)
		}
		if err == nil {
			err = dropSeen(ctx, tx, found.seq)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete device %s: %w", id, err)
	}
	return nil
}

// Devices lists a tenant's devices by id, all or one user's.
func (s *Store) Devices(ctx context.Context, tenant, userID, after string, limit int) ([]push.Device, string, error) {
	const listing = "devices"
	limit = rows.Limit(limit)
	place, err := rows.CursorFields(listing, after, 1)
	if err != nil {
		return nil, "", err
	}
	query, args := selectDevice+`WHERE tenant = ? `, []any{tenant}
	if userID != "" {
		query, args = selectDevice+byUser+`= ? `, []any{tenant, userID}
	}
	if place != nil {
		query += `AND id > ? `
		args = append(args, place[0])
	}
	all, err := rows.Collect(ctx, s.file.Read(), scanDevice, query+`ORDER BY id LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list devices: %w", err)
	}
	if userID == "" {
		behind := ""
		if place != nil {
			behind = place[0]
		}
		seen, err := listSeen(ctx, s.file.Read(), tenant, behind, limit+1)
		if err != nil {
			return nil, "", fmt.Errorf("list devices: %w", err)
		}
		all = merged(all, seen)
	}
	page, next := rows.Cut(all, limit, func(d *push.Device) string { return rows.Cursor(listing, string(d.ID)) })
	return page, next, nil
}

// merged joins two lists that are in the order of ids. Who is in both was registered
// between the two queries.
func merged(registered, seen []push.Device) []push.Device {
	if len(seen) == 0 {
		return registered
	}
	all := append(registered, seen...)
	slices.SortStableFunc(all, func(a, b push.Device) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(all, func(a, b push.Device) bool { return a.ID == b.ID })
}

// addressKey is the column by which an address is found: its hash, made the
// tenant's own. Different addresses may share a key; whoever reads compares.
func addressKey(tenant string, a push.Address) int64 {
	return int64(push.SeenKey(tenant, a)) //nolint:gosec // the same 64 bits
}

// quarantinedAt is the column that says both whether and since when.
func quarantinedAt(d *push.Device) int64 {
	if d.State != push.DeviceQuarantined {
		return 0
	}
	return max(rows.Micros(d.QuarantinedAt), 1)
}

func scanDevice(row rows.Scanner) (push.Device, error) {
	d := push.Device{State: push.DeviceActive}
	var quarantined int64
	var body []byte
	if err := row.Scan(&d.Tenant, &d.ID, &d.UserID, &quarantined, &body); err != nil {
		return d, err
	}
	if quarantined != 0 {
		d.State, d.QuarantinedAt = push.DeviceQuarantined, rows.FromMicros(quarantined)
	}
	if err := decodeDevice(&d, body); err != nil {
		return d, fmt.Errorf("device %s: %w", d.ID, err)
	}
	return d, nil
}
