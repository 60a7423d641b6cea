package ledger

import (
	"context"
	"database/sql"
	"errors"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// doubtAtOnce bounds how many lines one transaction flags.
const doubtAtOnce = 500

// SetRestoredUpTo sets which notifications a restored state of the file held: those with a seq of
// at most the given one, none for 0. Call it before any other method.
func (s *Store) SetRestoredUpTo(seq int64) { s.doubt = seq }

// DoubtOpen flags every open recipient of every chunk, and keeps in mind which
// notifications are not planned yet. It may be repeated.
func (s *Store) DoubtOpen(ctx context.Context) (lines int, err error) {
	err = s.file.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE directory SET doubt = (SELECT coalesce(max(seq), 0) FROM notification)`)
		return err
	})
	var id push.ID
	for seq := -1; err == nil; {
		var open []ledger.Line
		open, err = rows.Collect(ctx, s.file.Read(), scanLine,
			selectLine+`WHERE (notification, seq) > (?, ?) AND state <> ? ORDER BY notification, seq LIMIT ?`,
			id, seq, uint8(ledger.StateClosed), doubtAtOnce)
		if err != nil || len(open) == 0 {
			return lines, err
		}
		last := open[len(open)-1].Ref
		id, seq = last.Notification, last.Seq
		lines += len(open)
		err = s.file.Write(ctx, func(tx *sql.Tx) error { return doubtLines(ctx, tx, open) })
	}
	return lines, err
}

func doubtLines(ctx context.Context, tx *sql.Tx, lines []ledger.Line) error {
	for _, l := range lines {
		doubtCells(&l)
		// Its epoch stays: nobody has the line, and the time of its last write is what
		// the janitor goes by.
		_, err := tx.ExecContext(ctx, `UPDATE chunk_line SET tally = ?, cells = ? WHERE notification = ? AND seq = ? AND epoch = ?`,
			appendTally([]byte{}, l.Cells), cellBytes(l.Cells), l.Ref.Notification, l.Ref.Seq, l.Epoch)
		if err != nil {
			return err
		}
	}
	return nil
}

func doubtCells(l *ledger.Line) {
	for i, c := range l.Cells {
		if c.Open() {
			l.Cells[i] = ledger.CellOf(push.CodeOpen, true)
		}
	}
}

// doubtPlanned flags the recipients of a chunk that is planned only now, if the
// notification is one that a restored state held.
func (s *Store) doubtPlanned(ctx context.Context, tx *sql.Tx, l *ledger.Line) error {
	if s.doubt == 0 {
		return nil
	}
	var seq int64
	err := tx.QueryRowContext(ctx, `SELECT seq FROM notification WHERE id = ?`, l.Ref.Notification).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil && seq <= s.doubt {
		doubtCells(l)
	}
	return err
}
