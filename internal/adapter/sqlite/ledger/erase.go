package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// EraseRecipients applies change to a notification as it is stored, and stores what that makes of
// its target and message. It returns push.ErrNotFound if there is no such notification. Who read
// the old body a moment ago, and other processes, may remember it for another minute.
func (s *Store) EraseRecipients(ctx context.Context, id push.ID, change func(n *push.Notification) bool) error {
	var seq int64
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		var body []byte
		err := tx.QueryRowContext(ctx, `SELECT h.seq, b.body FROM notification h JOIN notification_body b ON b.seq = h.seq WHERE h.id = ?`, id).
			Scan(&seq, &body)
		if err != nil {
			return rows.Found(err)
		}
		var n push.Notification
		if err := json.Unmarshal(body, &n); err != nil {
			return fmt.Errorf("stored notification: %w", err)
		}
		kept := n
		if !change(&n) {
			return nil
		}
		kept.Target, kept.Message = n.Target, n.Message
		text, _, err := encodeNotification(&kept)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE notification_body SET body = ? WHERE seq = ?`, text, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("erase recipients of %s: %w", id, err)
	}
	// It is not put in its place: of several erasures, the last to get here need not be the last
	// that was stored.
	s.bodies.forget(seq)
	return nil
}

// EraseHashes replaces the hashes of some cells of a plan by another. Without the plan it changes
// nothing.
func (s *Store) EraseHashes(ctx context.Context, ref push.ChunkRef, cells []int, hash uint64) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		var stored []byte
		err := tx.QueryRowContext(ctx, `SELECT hashes FROM chunk_plan WHERE notification = ? AND seq = ?`, ref.Notification, ref.Seq).
			Scan(&stored)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		hashes, err := decodeHashes(stored)
		if err != nil {
			return err
		}
		for _, c := range cells {
			if c >= 0 && c < len(hashes) {
				hashes[c] = hash
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE chunk_plan SET hashes = ? WHERE notification = ? AND seq = ?`, hashBytes(hashes),
			ref.Notification, ref.Seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("erase hashes of %s: %w", ref, err)
	}
	return nil
}
