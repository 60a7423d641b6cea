package letters

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// EraseLetter applies change to a letter as it is stored, and stores what that makes of its
// recipient, body and detail. The letter is one version on, so that whoever has read it before
// cannot move it any more. Without the letter it changes nothing.
func (s *Store) EraseLetter(ctx context.Context, id push.ID, change func(l *push.Letter)) error {
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		var seq int64
		err := tx.QueryRowContext(ctx, `SELECT seq FROM letter WHERE id = ?`, id).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		l, err := letterWhere(ctx, tx, `l.seq = ?`, seq)
		if err != nil {
			return err
		}
		change(&l)
		if _, err := tx.ExecContext(ctx, `UPDATE letter_body SET body = ? WHERE seq = ?`, encodeLetter(&l), seq); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE letter SET version = version + 1 WHERE seq = ?`, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("erase dead letter %s: %w", id, err)
	}
	return nil
}
