package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
)

// Identity is the one row that links a file to its data directory and to its log.
type Identity struct {
	Directory string // random, the same in all files; empty in a file of before, or one that is being made
	Complete  bool   // all files of the directory were made
	Mark      LogMark
	// StateOf is when the file was what it is now, if that is before the last that
	// was done with it: of a backup that was not in use yet, or of a file that lost
	// its log. Microseconds since 1970, 0 when it was settled (see [DB.Settle]).
	StateOf int64
	// Doubt is the last notification that such a state held (notification.seq),
	// for good: what it knows as open may have been sent.
	Doubt int64
}

// createIdentity stands outside of the migrations: it is what tells files apart
// before their schemas are looked at, and programs of before leave it alone.
const createIdentity = `CREATE TABLE IF NOT EXISTS directory (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	id        TEXT    NOT NULL,
	complete  INTEGER NOT NULL,
	log       INTEGER NOT NULL, -- see logMark
	whole     INTEGER NOT NULL,
	state_of  INTEGER NOT NULL, -- microseconds since 1970
	doubt     INTEGER NOT NULL  -- notification.seq
)`

// prepareIdentity makes the row, without an id yet, in a file that has none.
func prepareIdentity(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, createIdentity); err != nil {
		return fmt.Errorf("directory table: %w", err)
	}
	const insert = `INSERT INTO directory (one, id, complete, log, whole, state_of, doubt) VALUES (1, '', 0, ?, 1, 0, 0) ON CONFLICT DO ` +
		`NOTHING`
	if _, err := tx.ExecContext(ctx, insert, newLog()); err != nil {
		return fmt.Errorf("directory row: %w", err)
	}
	return nil
}

// newLog is the first number of a file's logs. It is random, so that no two files
// nor a file and its copy have logs of the same number.
func newLog() int64 { return rand.Int64N(1 << 62) } //nolint:gosec // only has to differ

// NewDirectoryID is the id of a directory that has none.
func NewDirectoryID() string { return uuid.NewString() }

// ReadIdentity returns the row; the zero identity of a file that has none.
func ReadIdentity(ctx context.Context, q rows.Querier) (i Identity, err error) {
	err = q.QueryRowContext(ctx, `SELECT id, complete, log, whole, state_of, doubt FROM directory`).
		Scan(&i.Directory, &i.Complete, &i.Mark.Log, &i.Mark.Whole, &i.StateOf, &i.Doubt)
	if errors.Is(err, sql.ErrNoRows) {
		return Identity{}, nil
	}
	return i, err
}

// Join gives the file the directory's id, unless it has it.
func (d *DB) Join(ctx context.Context, id string) error {
	return d.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE directory SET id = ? WHERE id = ''`, id)
		return err
	})
}

// Completed notes that no file of the directory is missing.
func (d *DB) Completed(ctx context.Context) error {
	return d.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE directory SET complete = 1 WHERE complete = 0`)
		return err
	})
}

// Rewind notes in a file that is a copy, or that lost its log, that it is a state
// of the given moment, whole, and has no log.
func Rewind(ctx context.Context, tx *sql.Tx, directory string, at time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE directory SET id = ?, whole = 1, log = ?, state_of = ?`, directory, newLog(), rows.Micros(at))
	return err
}

// Settle notes that the file is no longer an earlier state of the directory.
func (d *DB) Settle(ctx context.Context) error {
	err := d.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE directory SET state_of = 0 WHERE state_of <> 0`)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle %s: %w", d.path, err)
	}
	return nil
}

// RewindCopy does what [Rewind] does to a copy that nobody uses, which may be of an
// earlier version.
func RewindCopy(ctx context.Context, path, directory string, at time.Time) (err error) {
	pool, err := OpenExisting(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = prepareIdentity(ctx, tx)
	if err == nil {
		err = Rewind(ctx, tx, directory, at)
	}
	return finish(tx, err)
}
