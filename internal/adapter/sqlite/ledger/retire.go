package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Keeps lists the numbers of days for which notifications are kept, 0 for those without a bound of
// their own. It takes a look-up each.
func (s *Store) Keeps(ctx context.Context) (keeps []int, err error) {
	for last := -1; ; {
		var next sql.NullInt64
		err := rows.One(ctx, s.file.Read(), func(row rows.Scanner) error { return row.Scan(&next) },
			`SELECT min(keep_days) FROM notification WHERE keep_days > ?`, last)
		if err != nil {
			return nil, fmt.Errorf("list for how long notifications are kept: %w", err)
		}
		if !next.Valid {
			return keeps, nil
		}
		last = int(next.Int64)
		keeps = append(keeps, last)
	}
}

// Aged lists up to limit notifications that are kept for so many days and not retired behind a
// place, in the order in which they were accepted.
func (s *Store) Aged(ctx context.Context, days int, after string, limit int) ([]ledger.Aged, error) {
	var seq int64
	if after != "" {
		var err error
		if seq, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, fmt.Errorf("list old notifications behind %q: %w", after, push.ErrCursor)
		}
	}
	aged, err := rows.Collect(ctx, s.file.Read(), scanAged, `SELECT seq, id, tenant, accepted_at, changed_at, progress FROM notification
		WHERE keep_days = ? AND seq > ? AND retired = 0 ORDER BY seq LIMIT ?`, days, seq, rows.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("list old notifications: %w", err)
	}
	return aged, nil
}

func scanAged(row rows.Scanner) (ledger.Aged, error) {
	var a ledger.Aged
	var seq, accepted, changed int64
	var progress []byte
	if err := row.Scan(&seq, &a.ID, &a.Tenant, &accepted, &changed, &progress); err != nil {
		return a, err
	}
	a.Place = strconv.FormatInt(seq, 10)
	a.AcceptedAt, a.ChangedAt = rows.FromMicros(accepted), rows.FromMicros(changed)
	if err := json.Unmarshal(progress, &a.Progress); err != nil {
		return a, fmt.Errorf("stored progress of %s: %w", a.ID, err)
	}
	return a, nil
}

// Retire makes notifications absent for every reader, in one transaction, and tells which it
// did: not those that were changed since they were listed, and not the newest of all, whose
// seq a new one must not be given again.
func (s *Store) Retire(ctx context.Context, ns []ledger.Aged, at time.Time) ([]bool, error) {
	var done []bool
	err := s.file.WriteLater(ctx, func(tx *sql.Tx) error {
		done = make([]bool, len(ns))
		for i := range ns {
			var err error
			// The version moves on, so that whoever has read the notification cannot change it.
			done[i], err = rows.Changed(tx.ExecContext(ctx, `UPDATE notification SET retired = ?, version = version + 1
				WHERE id = ? AND version = ? AND retired = 0 AND outbox = 0 AND unfinished = 0
				AND seq < (SELECT max(seq) FROM notification)`, rows.Micros(at), ns[i].ID, ns[i].Progress.Version))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("retire %d notifications: %w", len(ns), err)
	}
	return done, nil
}

// Retired lists up to limit notifications that were retired before the given time.
func (s *Store) Retired(ctx context.Context, before time.Time, limit int) ([]push.ID, error) {
	ids, err := rows.Collect(ctx, s.file.Read(), scanID,
		`SELECT id FROM notification WHERE retired > 0 AND retired < ? ORDER BY retired LIMIT ?`, rows.Micros(before), rows.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("list retired notifications: %w", err)
	}
	return ids, nil
}

func scanID(row rows.Scanner) (id push.ID, err error) {
	err = row.Scan(&id)
	return id, err
}

// Erase removes, in one transaction, up to so many rows of retired notifications, and returns
// how many of them are gone. A notification's own row goes last.
func (s *Store) Erase(ctx context.Context, ids []push.ID, most int) (int, error) {
	var gone int
	err := s.file.WriteLater(ctx, func(tx *sql.Tx) error {
		gone = 0
		for left := most; gone < len(ids); gone++ {
			n, err := eraseChunks(ctx, tx, ids[gone], left)
			if left -= n; err != nil || left <= 0 {
				return err
			}
			if err := eraseHead(ctx, tx, ids[gone]); err != nil {
				return err
			}
			left--
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("erase notifications: %w", err)
	}
	return gone, nil
}

// eraseChunks removes up to so many rows of a notification's chunks.
func eraseChunks(ctx context.Context, tx *sql.Tx, id push.ID, most int) (removed int, err error) {
	for _, query := range []string{
		`DELETE FROM chunk_attempt WHERE saved IN (SELECT saved FROM chunk_attempt WHERE notification = ? LIMIT ?)`,
		`DELETE FROM chunk_plan WHERE rowid IN (SELECT rowid FROM chunk_plan WHERE notification = ? LIMIT ?)`,
		`DELETE FROM chunk_line WHERE notification = ?1 AND seq IN (SELECT seq FROM chunk_line WHERE notification = ?1 LIMIT ?2)`,
	} {
		if removed >= most {
			return removed, nil
		}
		r, err := tx.ExecContext(ctx, query, id, most-removed)
		if err != nil {
			return removed, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return removed, err
		}
		removed += int(n)
	}
	return removed, nil
}

func eraseHead(ctx context.Context, tx *sql.Tx, id push.ID) error {
	const body = `DELETE FROM notification_body WHERE seq = (SELECT seq FROM notification WHERE id = ? AND retired > 0)`
	if _, err := tx.ExecContext(ctx, body, id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM notification WHERE id = ? AND retired > 0`, id)
	return err
}
