package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"go.uber.org/zap"
)

// openWriter opens the writing connection, creates or migrates the schema, and
// starts the writer.
func openWriter(ctx context.Context, path string, migrations []migration, log *zap.Logger) (*writer, error) {
	// busy_timeout is 0: the turnstile does the waiting.
	c, err := newConnector(dsn(path, 0,
		"synchronous(FULL)", // in WAL mode: sync the log on every commit
		"wal_autocheckpoint("+strconv.Itoa(checkpointPages)+")",
		"journal_size_limit("+strconv.Itoa(walKeepBytes)+")",
		"cache_size(-32768)", // KiB
		"temp_store(MEMORY)",
	), true)
	if err != nil {
		return nil, err
	}
	turn, err := openTurnstile(path)
	if err != nil {
		return nil, err
	}
	conn := sql.OpenDB(c)
	conn.SetMaxOpenConns(1) // and it is never closed for being idle: the schema's statements stay prepared
	conn.SetMaxIdleConns(1)

	w := &writer{
		conn: conn, turn: turn, spare: sparePages, log: log,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := w.prepare(ctx, migrations); err != nil {
		return nil, errors.Join(err, conn.Close(), turn.close())
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	go w.run(run)
	return w, nil
}

// prepare sets what is stored in the file itself and migrates it.
func (w *writer) prepare(ctx context.Context, migrations []migration) error {
	return w.turn.pass(ctx, func() error {
		// Both are no-ops on a file that has them. auto_vacuum must precede the
		// first write, which journal_mode is.
		for _, pragma := range []string{"PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL"} {
			if _, err := w.conn.ExecContext(ctx, pragma); err != nil {
				return err
			}
		}
		tx, err := w.conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := migrate(ctx, tx, migrations); err != nil {
			rollback(tx)
			return err
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("commit the schema: %w", err)
		}
		return nil
	})
}
