package devices

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// RecordDevices stores those devices whose address is unknown; the others stay
// untouched. Nearly all sends go to known addresses, so it looks before it
// takes the write lock.
func (s *Store) RecordDevices(ctx context.Context, ds []push.Device) error {
	unknown, err := s.unknown(ctx, ds)
	if err != nil {
		return fmt.Errorf("record %d devices: %w", len(ds), err)
	}
	if len(unknown) == 0 {
		return nil
	}
	err = s.file.Write(ctx, func(tx *sql.Tx) error {
		for i := range unknown {
			if err := recordDevice(ctx, tx, &unknown[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record %d devices: %w", len(ds), err)
	}
	return nil
}

// recordDevice looks again: the address may be known by now.
func recordDevice(ctx context.Context, tx *sql.Tx, d *push.Device) error {
	holders, err := devicesByAddress(ctx, tx, d.Tenant, []push.Address{d.Address})
	if err != nil || len(holders) > 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, insertDevice+`ON CONFLICT (tenant, id) DO NOTHING`,
		d.Tenant, d.ID, addressKey(d.Tenant, d.Address), d.UserID, quarantinedAt(d), encodeDevice(d))
	return err
}

// unknown returns the devices whose address no device of their tenant has.
func (s *Store) unknown(ctx context.Context, ds []push.Device) ([]push.Device, error) {
	byTenant := map[string][]push.Address{}
	for i := range ds {
		byTenant[ds[i].Tenant] = append(byTenant[ds[i].Tenant], ds[i].Address)
	}
	known := make(map[string]map[push.Address]push.Device, len(byTenant))
	for tenant, addresses := range byTenant {
		var err error
		if known[tenant], err = devicesByAddress(ctx, s.file.Read(), tenant, addresses); err != nil {
			return nil, err
		}
	}
	var out []push.Device
	for i := range ds {
		if _, ok := known[ds[i].Tenant][ds[i].Address]; !ok {
			out = append(out, ds[i])
		}
	}
	return out, nil
}

// NoteDevices applies what sends taught, in the given order, and returns the
// devices that this call quarantined.
func (s *Store) NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) ([]push.Device, error) {
	if len(notes) == 0 {
		return nil, nil
	}
	addresses := make([]push.Address, len(notes))
	for i := range notes {
		addresses[i] = notes[i].Address
	}
	var quarantined []push.Device
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		devices, err := devicesByAddress(ctx, tx, tenant, addresses)
		if err != nil {
			return err
		}
		before := make(map[push.Address]push.DeviceState, len(devices))
		for a, d := range devices {
			before[a] = d.State
		}
		for i := range notes {
			if d, ok := devices[notes[i].Address]; ok {
				notes[i].Apply(&d)
				devices[notes[i].Address] = d
			}
		}
		quarantined = nil
		for a, d := range devices {
			if err := changeDevice(ctx, tx, &d); err != nil {
				return err
			}
			if before[a] != d.State {
				quarantined = append(quarantined, d)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("note %d sends: %w", len(notes), err)
	}
	return quarantined, nil
}

// ChangeDevice applies change to a device, or returns push.ErrNotFound.
func (s *Store) ChangeDevice(ctx context.Context, tenant string, id push.ID, change func(*push.Device) error) (push.Device, error) {
	var d push.Device
	err := s.file.Write(ctx, func(tx *sql.Tx) (err error) {
		if d, err = oneDevice(ctx, tx, tenant, id); err != nil {
			return err
		}
		user := d.UserID
		if err = change(&d); err != nil {
			return err
		}
		if d.UserID == user {
			return changeDevice(ctx, tx, &d)
		}
		if _, err = tx.ExecContext(ctx, deleteDevice, tenant, id); err != nil {
			return err
		}
		return addDevice(ctx, tx, &d)
	})
	if err != nil {
		return push.Device{}, fmt.Errorf("change device %s: %w", id, err)
	}
	return d, nil
}

// RestoreDevice makes a quarantined device active again.
func (s *Store) RestoreDevice(ctx context.Context, tenant string, id push.ID) (push.Device, error) {
	var d push.Device
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE device SET quarantined_at = 0 WHERE tenant = ? AND id = ? AND quarantined_at <> 0`, tenant, id)
		if err != nil {
			return err
		}
		d, err = oneDevice(ctx, tx, tenant, id)
		return err
	})
	if err != nil {
		return push.Device{}, fmt.Errorf("restore device %s: %w", id, err)
	}
	return d, nil
}

// PurgeQuarantined removes up to limit devices quarantined before the given
// time, of all tenants, the longest quarantined first.
func (s *Store) PurgeQuarantined(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.file.DeleteRows(ctx, `DELETE FROM device WHERE seq IN (
		SELECT seq FROM device INDEXED BY device_quarantined
		WHERE quarantined_at <> 0 AND quarantined_at < ? ORDER BY quarantined_at LIMIT ?)`,
		rows.Micros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("purge quarantined devices: %w", err)
	}
	return n, nil
}
