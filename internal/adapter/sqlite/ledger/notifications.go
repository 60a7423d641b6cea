package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

const selectNotification = `SELECT b.body, h.progress FROM notification h JOIN notification_body b ON b.seq = h.seq `

// errRetired is what a key gets that is used again while what it stood for is being erased.
var errRetired = push.WithOutage(push.OutageBusy, errors.New("the notification of that id is past its retention and is being removed"))

// Create stores the notification unless its id exists; it returns what is
// stored now and whether this call stored it.
func (s *Store) Create(ctx context.Context, n push.Notification) (push.Notification, bool, error) {
	return s.create(ctx, &n, func(f func(tx *sql.Tx) (bool, error)) error {
		return s.file.Write(ctx, func(tx *sql.Tx) error {
			_, err := f(tx)
			return err
		})
	})
}

// CreateWith is Create, and if it stores the notification, t gets the item in the same transaction.
func (s *Store) CreateWith(ctx context.Context, n push.Notification, t db.Tail, item any) (push.Notification, bool, error) {
	return s.create(ctx, &n, func(f func(tx *sql.Tx) (bool, error)) error {
		return s.file.WriteWith(ctx, t, func(tx *sql.Tx) (any, error) {
			if created, err := f(tx); err != nil || !created {
				return nil, err
			}
			return item, nil
		})
	})
}

func (s *Store) create(ctx context.Context, n *push.Notification, write func(f func(tx *sql.Tx) (bool, error)) error,
) (push.Notification, bool, error) {
	body, progress, err := encodeNotification(n)
	if err != nil {
		return push.Notification{}, false, fmt.Errorf("create %s: %w", n.ID, err)
	}
	var stored push.Notification
	var created bool
	var seq int64
	err = write(func(tx *sql.Tx) (bool, error) {
		stored, created = *n, false
		r, err := tx.ExecContext(ctx, `INSERT INTO notification
			(id, tenant, accepted_at, changed_at, version, outbox, unfinished, keep_days, progress)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			n.ID, n.Tenant, rows.Micros(n.AcceptedAt), rows.Micros(s.now()), n.Progress.Version, inOutbox(&n.Progress),
			onItsWay(&n.Progress), n.Progress.KeepDays, progress)
		if created, err = rows.Changed(r, err); err != nil {
			return false, err
		}
		if !created {
			if stored, err = s.notification(ctx, tx, n.ID); errors.Is(err, push.ErrNotFound) {
				return false, errRetired
			}
			return false, err
		}
		if seq, err = r.LastInsertId(); err != nil {
			return false, err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO notification_body (seq, body) VALUES (?, ?)`, seq, body)
		return true, err
	})
	if err != nil {
		return push.Notification{}, false, fmt.Errorf("create %s: %w", n.ID, err)
	}
	if created {
		s.bodies.put(seq, *n, len(body))
	}
	return stored, created, nil
}

// Notification returns the stored notification or push.ErrNotFound.
func (s *Store) Notification(ctx context.Context, id push.ID) (push.Notification, error) {
	n, err := s.notification(ctx, s.file.Read(), id)
	if err != nil {
		return push.Notification{}, fmt.Errorf("notification %s: %w", id, err)
	}
	return n, nil
}

// notification reads the head, and the body unless it is known. Between the two the notification may be erased; then the
// body is not found.
func (s *Store) notification(ctx context.Context, q rows.Querier, id push.ID) (push.Notification, error) {
	var seq int64
	var progress []byte
	err := rows.One(ctx, q, func(row rows.Scanner) error { return row.Scan(&seq, (*rows.Owned)(&progress)) },
		`SELECT seq, progress FROM notification WHERE id = ? AND retired = 0`, id)
	if err != nil {
		return push.Notification{}, rows.Found(err)
	}
	n, err := s.body(ctx, q, seq)
	if err != nil {
		return push.Notification{}, err
	}
	if err := json.Unmarshal(progress, &n.Progress); err != nil {
		return push.Notification{}, fmt.Errorf("stored progress of %s: %w", id, err)
	}
	return n, nil
}

// body returns a notification without progress.
func (s *Store) body(ctx context.Context, q rows.Querier, seq int64) (n push.Notification, err error) {
	if n, known := s.bodies.get(seq); known {
		return n, nil
	}
	var body []byte
	err = rows.One(ctx, q, func(row rows.Scanner) error { return row.Scan((*rows.Owned)(&body)) },
		`SELECT body FROM notification_body WHERE seq = ?`, seq)
	if err != nil {
		return n, rows.Found(err)
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("stored notification: %w", err)
	}
	s.bodies.put(seq, n, len(body))
	return n, nil
}

// Advance replaces the progress on condition that the stored version is
// next.Version-1; otherwise push.ErrConflict.
func (s *Store) Advance(ctx context.Context, id push.ID, next push.Progress) error {
	progress, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("advance %s: %w", id, err)
	}
	err = s.file.Write(ctx, func(tx *sql.Tx) error {
		ok, err := rows.Changed(tx.ExecContext(ctx, `UPDATE notification SET version = ?, outbox = ?, unfinished = ?, changed_at = ?, `+
			`progress = ? WHERE id = ? AND version = ?`,
			next.Version, inOutbox(&next), onItsWay(&next), rows.Micros(s.now()), string(progress), id, next.Version-1))
		if err == nil && !ok {
			return push.ErrConflict
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("advance %s to version %d: %w", id, next.Version, err)
	}
	return nil
}

// listing is the name of the listing of notifications, in its cursors.
const listing = "notifications"

// Behind returns the cursor with which Notifications goes on behind a place.
func (*Store) Behind(accepted time.Time, id push.ID) string {
	return rows.Cursor(listing, strconv.FormatInt(rows.Micros(accepted), 10), string(id))
}

// Notifications lists a tenant's notifications, newest first.
func (s *Store) Notifications(ctx context.Context, tenant, after string, limit int) ([]push.Notification, string, error) {
	limit = rows.Limit(limit)
	place, err := rows.CursorFields(listing, after, 2)
	if err != nil {
		return nil, "", err
	}
	query, args := selectNotification+`WHERE h.tenant = ? AND h.retired = 0 `, []any{tenant}
	if place != nil {
		at, err := rows.CursorTime(listing, place[0])
		if err != nil {
			return nil, "", err
		}
		query += `AND (h.accepted_at, h.id) < (?, ?) `
		args = append(args, at, place[1])
	}
	query += `ORDER BY h.accepted_at DESC, h.id DESC LIMIT ?`
	all, err := rows.Collect(ctx, s.file.Read(), scanNotification, query, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list notifications: %w", err)
	}
	page, next := rows.Cut(all, limit, func(n *push.Notification) string { return s.Behind(n.AcceptedAt, n.ID) })
	return page, next, nil
}

// Accepted lists a tenant's notifications behind a place and before a time, oldest first.
func (s *Store) Accepted(ctx context.Context, tenant string, after time.Time, id push.ID, before time.Time, limit int,
) ([]push.Notification, error) {
	all, err := rows.Collect(ctx, s.file.Read(), scanNotification,
		selectNotification+`WHERE h.tenant = ? AND h.retired = 0 AND (h.accepted_at, h.id) > (?, ?) AND h.accepted_at < ?
		ORDER BY h.accepted_at, h.id LIMIT ?`, tenant, rows.Micros(after), string(id), rows.Micros(before), rows.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("list what was accepted: %w", err)
	}
	return all, nil
}

// Unenqueued returns up to limit notifications in the outbox that were accepted
// before the given time, oldest first.
func (s *Store) Unenqueued(ctx context.Context, before time.Time, limit int) ([]push.Notification, error) {
	all, err := rows.Collect(ctx, s.file.Read(), scanNotification,
		selectNotification+`WHERE h.outbox = 1 AND h.accepted_at < ? ORDER BY h.accepted_at, h.id LIMIT ?`,
		rows.Micros(before), rows.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return all, nil
}

// Unfinished lists the notifications that are not in the outbox, of which
// something may be open, and that were accepted before the given time.
func (s *Store) Unfinished(ctx context.Context, before time.Time, after string, limit int) ([]push.Notification, string, error) {
	const listing = "unfinished"
	limit = rows.Limit(limit)
	place, err := rows.CursorFields(listing, after, 2)
	if err != nil {
		return nil, "", err
	}
	query, args := selectNotification+`WHERE h.unfinished = 1 AND h.accepted_at < ? `, []any{rows.Micros(before)}
	if place != nil {
		at, err := rows.CursorTime(listing, place[0])
		if err != nil {
			return nil, "", err
		}
		query += `AND (h.accepted_at, h.id) > (?, ?) `
		args = append(args, at, place[1])
	}
	query += `ORDER BY h.accepted_at, h.id LIMIT ?`
	all, err := rows.Collect(ctx, s.file.Read(), scanNotification, query, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list what is not finished: %w", err)
	}
	page, next := rows.Cut(all, limit, func(n *push.Notification) string {
		return rows.Cursor(listing, strconv.FormatInt(rows.Micros(n.AcceptedAt), 10), string(n.ID))
	})
	return page, next, nil
}

// onItsWay reports whether a janitor looks after a notification: it is not
// finished, and no sweeper answers for it.
func onItsWay(p *push.Progress) bool { return p.Unfinished() && !inOutbox(p) }

// inOutbox reports whether a notification waits for a sweeper to enqueue it. A
// batch that is uploading waits for its caller instead.
func inOutbox(p *push.Progress) bool { return !p.Enqueued && p.State != push.StateUploading }

func encodeNotification(n *push.Notification) (body, progress string, err error) {
	fixed := *n
	fixed.Progress = push.Progress{}
	if body, err = encodeJSON(fixed); err != nil {
		return "", "", err
	}
	progress, err = encodeJSON(n.Progress)
	return body, progress, err
}

// encodeJSON leaves <, > and & as they are, because a message comes back byte
// for byte as it was accepted.
func encodeJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

func scanNotification(row rows.Scanner) (push.Notification, error) {
	var body, progress []byte
	var n push.Notification
	if err := row.Scan(&body, &progress); err != nil {
		return n, err
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("stored notification: %w", err)
	}
	if err := json.Unmarshal(progress, &n.Progress); err != nil {
		return n, fmt.Errorf("stored progress of %s: %w", n.ID, err)
	}
	return n, nil
}
