package devices

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// NoteDevices applies what sends taught, in the given order, and returns the
// devices that this call quarantined. Notes that quarantine nobody let other writes go first.
func (s *Store) NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) ([]push.Device, error) {
	if len(notes) == 0 {
		return nil, nil
	}
	write := s.file.WriteLater
	if slices.ContainsFunc(notes, func(n push.DeviceNote) bool { return n.Quarantine }) {
		write = s.file.Write
	}
	var quarantined []push.Device
	err := write(ctx, func(tx *sql.Tx) (err error) {
		quarantined, err = note(ctx, tx, tenant, notes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("note %d sends: %w", len(notes), err)
	}
	return quarantined, nil
}

// noted is a device to which notes apply.
type noted struct {
	seenRow

	before  push.DeviceState
	changed bool
}

func note(ctx context.Context, tx *sql.Tx, tenant string, notes []push.DeviceNote) ([]push.Device, error) {
	devices, err := notable(ctx, tx, tenant, notes)
	if err != nil {
		return nil, err
	}
	for i := range notes {
		n := &notes[i]
		d := devices[n.Address]
		switch {
		case d != nil:
			d.changed = n.Apply(&d.Device) || d.changed
		case n.Record:
			made, err := remember(ctx, tx, tenant, n)
			if err != nil {
				return nil, err
			}
			if seen := made.ID == push.SeenID(tenant, n.Address); seen {
				found, err := oneSeen(ctx, tx, tenant, made.ID)
				if err != nil && !errors.Is(err, push.ErrNotFound) {
					return nil, err
				}
				devices[n.Address] = &noted{seenRow: seenRow{made, found.seq, found.key}, before: push.DeviceActive}
			} else {
				devices[n.Address] = &noted{seenRow: seenRow{Device: made}, before: push.DeviceActive}
			}
		}
	}
	var quarantined []push.Device
	for _, d := range devices {
		if d.changed {
			if err := d.save(ctx, tx); err != nil {
				return nil, err
			}
		}
		if d.before != d.State {
			quarantined = append(quarantined, d.Device)
		}
	}
	return quarantined, nil
}

// notable returns the devices at the notes' addresses.
func notable(ctx context.Context, tx *sql.Tx, tenant string, notes []push.DeviceNote) (map[push.Address]*noted, error) {
	addresses := make([]push.Address, len(notes))
	for i := range notes {
		addresses[i] = notes[i].Address
	}
	devices := make(map[push.Address]*noted, len(notes))
	seen, err := seenByAddress(ctx, tx, tenant, addresses)
	if err != nil {
		return nil, err
	}
	for a, d := range seen {
		devices[a] = &noted{seenRow: d, before: d.State}
	}
	if len(seen) == len(addresses) {
		return devices, nil
	}
	registered, err := registeredByAddress(ctx, tx, tenant, addresses)
	for a, d := range registered {
		devices[a] = &noted{seenRow: seenRow{Device: d}, before: d.State}
	}
	return devices, err
}

func (n *noted) save(ctx context.Context, tx *sql.Tx) error {
	if n.seq != 0 {
		return changeSeen(ctx, tx, &n.seenRow)
	}
	return changeDevice(ctx, tx, &n.Device)
}

// ChangeDevice applies change to a device, or returns push.ErrNotFound.
func (s *Store) ChangeDevice(ctx context.Context, tenant string, id push.ID, change func(*push.Device) error) (push.Device, error) {
	var d push.Device
	err := s.file.Write(ctx, func(tx *sql.Tx) (err error) {
		d, err = oneRegistered(ctx, tx, tenant, id)
		var seen seenRow
		if errors.Is(err, push.ErrNotFound) {
			seen, err = oneSeen(ctx, tx, tenant, id)
			d = seen.Device
		}
		if err != nil {
			return err
		}
		user := d.UserID
		if err = change(&d); err != nil {
			return err
		}
		switch {
		case seen.seq != 0: // who has a word from its owner is registered
			err = dropSeen(ctx, tx, seen.seq)
		case d.UserID == user:
			return changeDevice(ctx, tx, &d)
		default:
			_, err = tx.ExecContext(ctx, deleteDevice, tenant, id)
		}
		if err != nil {
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
		d, err = oneRegistered(ctx, tx, tenant, id)
		if !errors.Is(err, push.ErrNotFound) {
			return err
		}
		seen, err := oneSeen(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		seen.State, seen.QuarantinedAt = push.DeviceActive, time.Time{}
		d = seen.Device
		return changeSeen(ctx, tx, &seen)
	})
	if err != nil {
		return push.Device{}, fmt.Errorf("restore device %s: %w", id, err)
	}
	return d, nil
}
