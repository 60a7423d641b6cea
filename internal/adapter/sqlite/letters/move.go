package letters

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// MoveLetters applies the moves in one transaction and tells which were made.
func (s *Store) MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error) {
	if len(moves) == 0 {
		return nil, nil
	}
	var moved []bool
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		moved = make([]bool, len(moves))
		counts := newLetterCounts(tx)
		for i := range moves {
			var err error
			if moved[i], err = counts.move(ctx, &moves[i]); err != nil {
				return fmt.Errorf("%s: %w", moves[i].ID, err)
			}
		}
		return counts.close(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("move %d dead letters: %w", len(moves), err)
	}
	return moved, nil
}

// letterHead is what a move looks at and changes.
type letterHead struct {
	push.Letter

	seq, grp int64
}

// move makes one move if it is legal and not stale.
func (b *letterCounts) move(ctx context.Context, m *push.LetterMove) (bool, error) {
	old, err := b.head(ctx, m.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	next, ok := old.Moved(*m)
	if !ok {
		return false, nil
	}
	state, err := letterStateNumber(next.State)
	if err != nil {
		return false, err
	}
	_, err = b.tx.ExecContext(ctx, `UPDATE letter SET state = ?, version = ?, replay = ?, outcome = ?, moved_at = ?, note = ? WHERE seq = ?`,
		state, next.Version, next.Replay, uint8(next.Outcome), rows.Micros(next.MovedAt), letterNote(next.Reason, next.By), old.seq)
	if err == nil && next.State == push.LetterDiscarded {
		err = b.erase(ctx, &old, m)
	}
	if err != nil {
		return false, err
	}
	return true, b.shift(&old, &next)
}

func (b *letterCounts) head(ctx context.Context, id push.ID) (letterHead, error) {
	var h letterHead
	var state int
	err := b.tx.QueryRowContext(ctx, `SELECT seq, id, grp, cell, state, version, replay, outcome FROM letter WHERE id = ?`, id).
		Scan(&h.seq, &h.ID, &h.grp, &h.Cell, &state, &h.Version, &h.Replay, &h.Outcome)
	if err != nil {
		return h, err
	}
	if state < 0 || state >= len(letterStates()) {
		return h, fmt.Errorf("state %d: %w", state, push.ErrNewerSchema)
	}
	h.State = letterStates()[state]
	return h, nil
}

// erase rewrites the body of a letter that is being discarded.
func (b *letterCounts) erase(ctx context.Context, h *letterHead, m *push.LetterMove) error {
	l, err := letterWhere(ctx, b.tx, `l.seq = ?`, h.seq)
	if err != nil {
		return err
	}
	l.State, l.Version = h.State, h.Version // the row was updated already
	if l, ok := l.Moved(*m); ok {
		_, err = b.tx.ExecContext(ctx, `UPDATE letter_body SET body = ? WHERE seq = ?`, encodeLetter(&l), h.seq)
	}
	return err
}

// shift moves a letter from one sum to another.
func (b *letterCounts) shift(old *letterHead, next *push.Letter) error {
	for _, side := range []struct {
		l *push.Letter
		n int64
	}{{&old.Letter, -1}, {next, 1}} {
		state, err := letterStateNumber(side.l.State)
		if err != nil {
			return err
		}
		b.change(old.grp).n[state] += side.n
		b.count(tallyKey{side.l.Replay, state, int(side.l.Outcome), side.l.Cell >= 0}, side.n)
	}
	return nil
}

// LetterTally counts the letters that a replay claimed last.
func (s *Store) LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error) {
	t := push.LetterTally{ByOutcome: map[push.Code]int64{}}
	err := rows.Each(ctx, s.file.Read(), func(row rows.Scanner) error {
		var state int
		var outcome push.Code
		var recipient bool
		var n int64
		if err := row.Scan(&state, &outcome, &recipient, &n); err != nil {
			return err
		}
		switch {
		case state == letterReplaying:
			t.Replaying += n
		case recipient:
			t.ByOutcome[outcome] += n
		default:
			t.Returned += n
		}
		return nil
	}, `SELECT state, outcome, recipient, n FROM letter_tally WHERE replay = ? AND n <> 0`, replay)
	if err != nil {
		return push.LetterTally{}, fmt.Errorf("tally of %s: %w", replay, err)
	}
	return t, nil
}

// PurgeLetters removes letters that were replayed or discarded before the given
// time, and groups that have none left.
func (s *Store) PurgeLetters(ctx context.Context, before time.Time, limit int) (int, error) {
	var purged int
	err := s.file.WriteLater(ctx, func(tx *sql.Tx) error {
		counts := newLetterCounts(tx)
		gone, err := rows.Collect(ctx, tx, scanHead, `DELETE FROM letter WHERE seq IN (
			SELECT seq FROM letter INDEXED BY letter_done WHERE state >= 2 AND moved_at < ? ORDER BY moved_at LIMIT ?)
			RETURNING seq, grp, cell, state, replay, outcome`, rows.Micros(before), rows.Limit(limit))
		if err != nil {
			return err
		}
		purged = len(gone)
		for i := range gone {
			h := &gone[i]
			state, err := letterStateNumber(h.State)
			if err != nil {
				return err
			}
			counts.change(h.grp).n[state]--
			counts.count(tallyKey{h.Replay, state, int(h.Outcome), h.Cell >= 0}, -1)
			if _, err := tx.ExecContext(ctx, `DELETE FROM letter_body WHERE seq = ?`, h.seq); err != nil {
				return err
			}
		}
		if err := counts.close(ctx); err != nil {
			return err
		}
		for k := range counts.tally {
			if _, err := tx.ExecContext(ctx, `DELETE FROM letter_tally WHERE replay = ? AND n = 0`, k.replay); err != nil {
				return err
			}
		}
		for grp := range counts.groups {
			_, err := tx.ExecContext(ctx, `DELETE FROM letter_group WHERE id = ? AND parked + replaying + replayed + discarded = 0`, grp)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("purge dead letters: %w", err)
	}
	return purged, nil
}

func scanHead(row rows.Scanner) (letterHead, error) {
	var h letterHead
	var state int
	err := row.Scan(&h.seq, &h.grp, &h.Cell, &state, &h.Replay, &h.Outcome)
	if err == nil && state < len(letterStates()) {
		h.State = letterStates()[state]
	}
	return h, err
}
