package devices

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

const (
	// recordRows is how many devices one transaction records: a few milliseconds, so that
	// whoever else wants to write does not wait long.
	recordRows = 1000
	// insertRows is how many rows one statement inserts, the rest of them by fewer.
	insertRows = 100
)

// candidate is an address that is to be recorded.
type candidate struct {
	key  int64
	note *push.DeviceNote
}

// RecordDevices remembers those addresses of the notes that are unknown. It goes through
// them in the order of their keys, in short transactions: so what one of them touches of
// the index is next to each other, and a large batch touches each page once.
//
// Two addresses of a tenant with the same 64 bits of hash, a chance of 1 in ten million
// among two million, are one to it: the second is recorded when it is dead.
func (s *Store) RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	all := make([]candidate, len(notes))
	for i := range notes {
		all[i] = candidate{addressKey(tenant, notes[i].Address), &notes[i]}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.key, b.key) })
	all = slices.CompactFunc(all, func(a, b candidate) bool { return a.key == b.key && a.note.Address == b.note.Address })
	for part := range slices.Chunk(all, recordRows) {
		if err := s.file.WriteLater(ctx, func(tx *sql.Tx) error { return record(ctx, tx, tenant, part) }); err != nil {
			return fmt.Errorf("record %d devices: %w", len(notes), err)
		}
	}
	return ctx.Err()
}

func record(ctx context.Context, tx *sql.Tx, tenant string, part []candidate) error {
	no, err := seenTenant(ctx, tx, tenant)
	if err != nil {
		return err
	}
	registered, err := registeredKeys(ctx, tx, tenant, part)
	if err != nil {
		return err
	}
	if len(registered) > 0 {
		part = slices.DeleteFunc(slices.Clone(part), func(c candidate) bool { return registered[c.key] })
	}
	for size := insertRows; len(part) > 0; size = 1 {
		for ; len(part) >= size; part = part[size:] {
			if err := insertSeen(ctx, tx, no, tenant, part[:size]); err != nil {
				return err
			}
		}
	}
	return nil
}

// registeredKeys returns the keys that registered devices of the tenant have.
func registeredKeys(ctx context.Context, tx *sql.Tx, tenant string, part []candidate) (map[int64]bool, error) {
	keys := make([]int64, len(part))
	for i := range part {
		keys[i] = part[i].key
	}
	var found map[int64]bool
	var key int64
	err := rows.Each(ctx, tx, func(row rows.Scanner) error {
		if found == nil {
			found = map[int64]bool{}
		}
		err := row.Scan(&key)
		found[key] = true
		return err
	}, `SELECT address_key FROM device INDEXED BY device_by_address
		WHERE address_key IN (SELECT value FROM json_each(?)) AND tenant = ?`, jsonList(keys), tenant)
	return found, err
}

// insertSeen inserts rows whose keys are free; the others are known.
func insertSeen(ctx context.Context, tx *sql.Tx, no int64, tenant string, part []candidate) error {
	const usual = 192 // a token of 163 characters and the rest
	args := make([]any, 1, 1+3*len(part))
	args[0] = no
	bodies := make([]byte, 0, usual*len(part))
	for i := range part {
		d := part[i].note.Seen(tenant)
		begin := len(bodies)
		bodies = appendSeen(bodies, &d)
		args = append(args, part[i].key, quarantinedAt(&d), bodies[begin:len(bodies):len(bodies)])
	}
	_, err := tx.ExecContext(ctx, insertSeenText(len(part)), args...)
	return err
}

// insertSeenText is the statement for n rows, of which there are two: 1 and insertRows.
func insertSeenText(n int) string {
	return `INSERT OR IGNORE INTO seen (tenant, key, quarantined_at, body) VALUES ` +
		strings.TrimSuffix(strings.Repeat("(?1, ?, ?, ?), ", n), ", ")
}

// remember makes a device of an address that is certainly unknown, whatever its key or id
// collides with, and returns it.
func remember(ctx context.Context, tx *sql.Tx, tenant string, n *push.DeviceNote) (push.Device, error) {
	d := n.Seen(tenant)
	d.ID = push.SeenID(tenant, n.Address)
	no, err := seenTenant(ctx, tx, tenant)
	if err != nil {
		return d, err
	}
	ok, err := rows.Changed(tx.ExecContext(ctx, insertSeenText(1), no, addressKey(tenant, n.Address), quarantinedAt(&d), appendSeen(nil, &d)))
	if err != nil || ok {
		return d, err
	}
	switch _, err := oneDevice(ctx, tx, tenant, d.ID); {
	case err == nil:
		d.ID = push.NewID(push.PrefixDevice)
	case !errors.Is(err, push.ErrNotFound):
		return d, err
	}
	return d, addDevice(ctx, tx, &d)
}
