package letters

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of dead letters. It is safe for concurrent use;
// every write is durable when it returns.
type Store struct {
	file *db.DB
}

// New returns the driver on a file that has the tables of [Schema].
func New(file *db.DB) *Store { return &Store{file: file} }

// PutLetters stores those letters that are not there yet, in one transaction,
// and returns how many.
func (s *Store) PutLetters(ctx context.Context, ls []push.Letter) (int, error) {
	if len(ls) == 0 {
		return 0, nil
	}
	bodies := make([][]byte, len(ls))
	for i := range ls {
		bodies[i] = encodeLetter(&ls[i])
	}
	var stored int
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		stored = 0
		counts := newLetterCounts(tx)
		for i := range ls {
			created, err := counts.put(ctx, &ls[i], bodies[i])
			if err != nil {
				return fmt.Errorf("%s: %w", ls[i].ID, err)
			}
			if created {
				stored++
			}
		}
		return counts.close(ctx)
	})
	if err != nil {
		return 0, fmt.Errorf("put %d dead letters: %w", len(ls), err)
	}
	return stored, nil
}

// Letter returns one letter, or push.ErrNotFound.
func (s *Store) Letter(ctx context.Context, id push.ID) (push.Letter, error) {
	l, err := letterWhere(ctx, s.file.Read(), `l.id = ?`, id)
	if err != nil {
		return push.Letter{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	return l, nil
}

func letterWhere(ctx context.Context, q rows.Querier, where string, args ...any) (push.Letter, error) {
	found, err := rows.Collect(ctx, q, scanLetter, selectLetter+`WHERE `+where, args...)
	switch {
	case err != nil:
		return push.Letter{}, err
	case len(found) == 0:
		return push.Letter{}, push.ErrNotFound
	}
	return found[0].Letter, nil
}

// storedLetter is a letter and its place in the order of arrival.
type storedLetter struct {
	push.Letter

	seq int64
}

const selectLetter = `SELECT l.seq, l.id, l.notification, l.chunk, l.cell, l.state, l.version, l.replay, l.outcome,
	l.dead_at, l.stored_at, l.moved_at, l.note, b.body,
	g.fingerprint, g.tenant, g.queue, g.app, g.code, g.last_code, g.template, g.pattern
	FROM letter l JOIN letter_body b ON b.seq = l.seq JOIN letter_group g ON g.id = l.grp `

func scanLetter(row rows.Scanner) (storedLetter, error) {
	var l storedLetter
	var state int
	var dead, stored, moved int64
	var note string
	var body sql.RawBytes
	err := row.Scan(&l.seq, &l.ID, &l.Notification, &l.Seq, &l.Cell, &state, &l.Version, &l.Replay, &l.Outcome,
		&dead, &stored, &moved, &note, &body,
		&l.Fingerprint, &l.Tenant, &l.Queue, &l.App, &l.Code, &l.LastCode, &l.Template, &l.Pattern)
	if err != nil {
		return l, err
	}
	if state < 0 || state >= len(letterStates()) {
		return l, fmt.Errorf("state %d of %s: %w", state, l.ID, push.ErrNewerSchema)
	}
	l.Kind, l.State = push.LetterRecipient, letterStates()[state]
	if l.Cell < 0 {
		l.Kind = push.LetterMessage
	}
	l.DeadAt, l.StoredAt, l.MovedAt = rows.FromMicros(dead), rows.FromMicros(stored), rows.FromMicros(moved)
	l.Reason, l.By = splitNote(note)
	if err := decodeLetter(&l.Letter, body); err != nil {
		return l, fmt.Errorf("%s: %w", l.ID, err)
	}
	return l, nil
}

// HasLetters reports whether a letter of the notification is stored.
func (s *Store) HasLetters(ctx context.Context, id push.ID) (bool, error) {
	var has bool
	err := s.file.Read().QueryRowContext(ctx,
		`SELECT EXISTS (SELECT 1 FROM letter WHERE notification <> '' AND notification = ?)`, id).Scan(&has)
	if err != nil {
		return false, fmt.Errorf("dead letters of %s: %w", id, err)
	}
	return has, nil
}
