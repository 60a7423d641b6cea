package devices

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/belfry-push/belfry/internal/adapter/packed"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// Devices that only sends know are in a table of their own, seen, until their owner
// registers them. A row has no id: its key is the leading bits of the id and of the
// address's hash, so one index of 8 bytes a row finds it by either, and lists it.
//
// A row without a body is a mark: the id that the address would have is in use by a device
// at another address.

// seenFormat is the first byte of a row's body.
const seenFormat = 1

const (
	selectSeen = `SELECT seq, key, quarantined_at, body FROM seen INDEXED BY seen_by_key
		WHERE tenant = (SELECT no FROM seen_tenant WHERE name = ?) AND `
	deleteSeen = `DELETE FROM seen WHERE seq = ?`
	updateSeen = `UPDATE seen SET quarantined_at = ?, body = ? WHERE seq = ?`
	insertMark = `INSERT OR IGNORE INTO seen (tenant, key, quarantined_at, body)
		SELECT no, ?, 0, x'' FROM seen_tenant WHERE name = ?`
	deleteMark = `DELETE FROM seen WHERE tenant = (SELECT no FROM seen_tenant WHERE name = ?) AND key = ? AND body = x''`
)

// seenRow is a device of the table seen.
type seenRow struct {
	push.Device

	seq int64
	key int64
}

// appendSeen encodes what is not in a column of its own. Kinds are numbers, and times
// microseconds; those of sends count from when the device was recorded.
func appendSeen(dst []byte, d *push.Device) []byte {
	dst = append(dst, seenFormat, kindNumber(d.Address.Kind))
	created := rows.Micros(d.CreatedAt)
	dst = binary.AppendVarint(dst, created)
	for _, t := range []int64{rows.Micros(d.LastSuccessAt), rows.Micros(d.LastFailureAt)} {
		if t != 0 {
			if t -= created; t >= 0 {
				t++ // 0 is never
			}
		}
		dst = binary.AppendVarint(dst, t)
	}
	dst = binary.AppendUvarint(dst, uint64(d.LastFailure))
	return append(dst, d.Address.Value...)
}

// kinds are the kinds of a device's address by number; their places are part of the format.
func kinds() [2]push.Kind { return [...]push.Kind{push.KindToken, push.KindFID} }

func kindNumber(k push.Kind) byte {
	if k == push.KindFID {
		return 1
	}
	return 0
}

// seenBody is a body whose value is not copied yet.
type seenBody struct {
	kind             push.Kind
	created          int64
	success, failure int64
	code             push.Code
	value            []byte
}

func readSeen(body []byte) (seenBody, error) {
	if len(body) < 2 || body[1] > kindNumber(push.KindFID) {
		return seenBody{}, errDevice
	}
	if body[0] != seenFormat {
		return seenBody{}, fmt.Errorf("device in format %d: %w", body[0], push.ErrNewerSchema)
	}
	r := packed.Reader{Left: body[2:]}
	b := seenBody{kind: kinds()[body[1]], created: r.Signed(), success: r.Signed(), failure: r.Signed(), code: r.Code()}
	b.value = r.Left
	if r.Bad || len(b.value) == 0 {
		return seenBody{}, errDevice
	}
	for _, t := range []*int64{&b.success, &b.failure} {
		switch {
		case *t > 0:
			*t += b.created - 1
		case *t < 0:
			*t += b.created
		}
	}
	return b, nil
}

// device returns the device that a row holds.
func (b *seenBody) device(tenant string, quarantined int64) push.Device {
	a := push.Address{Kind: b.kind, Value: push.Token(b.value)}
	d := push.Device{
		Tenant: tenant, ID: push.SeenID(tenant, a), Address: a, State: push.DeviceActive, Source: push.SourceSend,
		LastSuccessAt: rows.FromMicros(b.success), LastFailureAt: rows.FromMicros(b.failure), LastFailure: b.code,
		CreatedAt: rows.FromMicros(b.created), UpdatedAt: rows.FromMicros(b.created),
	}
	if quarantined != 0 {
		d.State, d.QuarantinedAt = push.DeviceQuarantined, rows.FromMicros(quarantined)
	}
	return d
}

// eachSeen visits the devices of a tenant that a condition on the key selects.
func eachSeen(ctx context.Context, q rows.Querier, tenant string, visit func(seenRow), where string, args ...any) error {
	return rows.Each(ctx, q, func(row rows.Scanner) error {
		var seq, key, quarantined int64
		var body sql.RawBytes
		if err := row.Scan(&seq, &key, &quarantined, &body); err != nil || len(body) == 0 {
			return err
		}
		b, err := readSeen(body)
		if err != nil {
			return fmt.Errorf("device seen as %d: %w", seq, err)
		}
		visit(seenRow{b.device(tenant, quarantined), seq, key})
		return nil
	}, selectSeen+where, append([]any{tenant}, args...)...)
}

const keyIn = `key IN (SELECT value FROM json_each(?))`

// seenByAddress returns the devices that only sends know among the addresses.
func seenByAddress(ctx context.Context, q rows.Querier, tenant string, as []push.Address) (map[push.Address]seenRow, error) {
	wanted := make(map[push.Address]bool, len(as))
	keys := make([]int64, len(as))
	for i, a := range as {
		wanted[a], keys[i] = true, addressKey(tenant, a)
	}
	found := map[push.Address]seenRow{}
	err := eachSeen(ctx, q, tenant, func(d seenRow) {
		if wanted[d.Address] { // another address may have the same key
			found[d.Address] = d
		}
	}, keyIn, jsonList(keys))
	return found, err
}

// seenByID visits the devices that only sends know among the ids.
func seenByID(ctx context.Context, q rows.Querier, tenant string, ids []push.ID, visit func(seenRow)) error {
	var keys []int64
	wanted := map[push.ID]bool{}
	for _, id := range ids {
		if key, ok := push.SeenKeyOf(id); ok {
			keys, wanted[id] = append(keys, int64(key)), true //nolint:gosec // the same 64 bits
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return eachSeen(ctx, q, tenant, func(d seenRow) {
		if wanted[d.ID] {
			visit(d)
		}
	}, keyIn, jsonList(keys))
}

func oneSeen(ctx context.Context, q rows.Querier, tenant string, id push.ID) (seenRow, error) {
	var found seenRow
	err := seenByID(ctx, q, tenant, []push.ID{id}, func(d seenRow) { found = d })
	if err == nil && found.seq == 0 {
		err = push.ErrNotFound
	}
	return found, err
}

// listSeen returns up to limit of a tenant's devices that only sends know, behind an id.
// Keys are stored as signed numbers, of which the lower half of the ids are those from 0.
func listSeen(ctx context.Context, q rows.Querier, tenant, after string, limit int) ([]push.Device, error) {
	from, ok := floorKey(after)
	if !ok {
		return nil, nil
	}
	var page []push.Device
	halves := [][2]int64{{int64(from), math.MaxInt64}, {math.MinInt64, -1}} //nolint:gosec // the same 64 bits
	if from > math.MaxInt64 {
		halves = [][2]int64{{int64(from), -1}} //nolint:gosec // the same 64 bits
	}
	for _, half := range halves {
		// One more than is missing: the first may be the device after which the page begins.
		for begin, more := half[0], true; more && len(page) < limit; {
			n, last, most := 0, begin, limit-len(page)+1
			err := eachSeen(ctx, q, tenant, func(d seenRow) {
				if n, last = n+1, d.key; string(d.ID) > after && len(page) < limit {
					page = append(page, d.Device)
				}
			}, `key BETWEEN ? AND ? AND body <> x'' ORDER BY key LIMIT ?`, begin, half[1], most)
			if err != nil {
				return nil, err
			}
			more = n == most && last < half[1]
			begin = last + 1
		}
	}
	return page, nil
}

// changeSeen writes back what notes and restores change.
func changeSeen(ctx context.Context, tx *sql.Tx, d *seenRow) error {
	_, err := tx.ExecContext(ctx, updateSeen, quarantinedAt(&d.Device), appendSeen(nil, &d.Device), d.seq)
	return err
}

func dropSeen(ctx context.Context, tx *sql.Tx, seq int64) error {
	_, err := tx.ExecContext(ctx, deleteSeen, seq)
	return err
}

// takeID marks the id of a device that is not at the address which the id follows from: so
// nobody gets it for having that address.
func takeID(ctx context.Context, tx *sql.Tx, d *push.Device) error {
	key, ok := push.SeenKeyOf(d.ID)
	if !ok || d.ID == push.SeenID(d.Tenant, d.Address) {
		return nil
	}
	if _, err := seenTenant(ctx, tx, d.Tenant); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, insertMark, int64(key), d.Tenant) //nolint:gosec // the same 64 bits
	return err
}

// freeID ends what takeID did.
func freeID(ctx context.Context, tx *sql.Tx, tenant string, id push.ID) error {
	key, ok := push.SeenKeyOf(id)
	if !ok {
		return nil
	}
	_, err := tx.ExecContext(ctx, deleteMark, tenant, int64(key)) //nolint:gosec // the same 64 bits
	return err
}

// seenTenant returns a tenant's number in the table seen, which it gets by this.
func seenTenant(ctx context.Context, tx *sql.Tx, tenant string) (no int64, err error) {
	const query = `SELECT no FROM seen_tenant WHERE name = ?`
	if err = tx.QueryRowContext(ctx, query, tenant).Scan(&no); !errors.Is(err, sql.ErrNoRows) {
		return no, err
	}
	if _, err = tx.ExecContext(ctx, `INSERT INTO seen_tenant (name) VALUES (?)`, tenant); err != nil {
		return 0, err
	}
	return no, tx.QueryRowContext(ctx, query, tenant).Scan(&no)
}
