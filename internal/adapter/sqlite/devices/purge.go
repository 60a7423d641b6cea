package devices

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
)

// overdue is a device that is to be purged.
type overdue struct {
	seq, at int64
	key     deviceKey // of a registered one
}

// PurgeQuarantined removes up to limit devices quarantined before the given
// time, of all tenants, the longest quarantined first.
func (s *Store) PurgeQuarantined(ctx context.Context, before time.Time, limit int) (int, error) {
	n := 0
	err := s.file.WriteLater(ctx, func(tx *sql.Tx) error {
		all, err := overdues(ctx, tx, rows.Micros(before), limit)
		if err != nil {
			return err
		}
		slices.SortStableFunc(all, func(a, b overdue) int { return cmp.Compare(a.at, b.at) })
		n = min(limit, len(all))
		for _, d := range all[:n] {
			if d.key == (deviceKey{}) {
				err = dropSeen(ctx, tx, d.seq)
			} else {
				err = removeDevice(ctx, tx, d.key)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("purge quarantined devices: %w", err)
	}
	return n, nil
}

// overdues returns the first of both tables.
func overdues(ctx context.Context, tx *sql.Tx, before int64, limit int) ([]overdue, error) {
	registered, err := rows.Collect(ctx, tx, func(row rows.Scanner) (d overdue, err error) {
		err = row.Scan(&d.seq, &d.at, &d.key.tenant, &d.key.id)
		return d, err
	}, `SELECT seq, quarantined_at, tenant, id FROM device INDEXED BY device_quarantined
		WHERE quarantined_at <> 0 AND quarantined_at < ? ORDER BY quarantined_at LIMIT ?`, before, limit)
	if err != nil {
		return nil, err
	}
	seen, err := rows.Collect(ctx, tx, func(row rows.Scanner) (d overdue, err error) {
		err = row.Scan(&d.seq, &d.at)
		return d, err
	}, `SELECT seq, quarantined_at FROM seen INDEXED BY seen_quarantined
		WHERE quarantined_at <> 0 AND quarantined_at < ? ORDER BY quarantined_at LIMIT ?`, before, limit)
	return append(registered, seen...), err
}
