package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
)

// openWriter opens the writing connection, creates or migrates the schema, and
// starts the writer.
func openWriter(ctx context.Context, path string, migrations []Migration, log *zap.Logger, cache int) (*writer, error) {
	// busy_timeout is 0: the fair lock does the waiting.
	c, err := newConnector(dsn(path, 0,
		"synchronous(FULL)",     // in WAL mode: sync the log on every commit
		"wal_autocheckpoint(0)", // see [LogMark]
		"journal_size_limit("+strconv.Itoa(walKeepBytes)+")",
		cacheSize(cache),
		"temp_store(MEMORY)",
	), true)
	if err != nil {
		return nil, err
	}
	turn, err := lock.OpenFair(path, lockWait)
	if err != nil {
		return nil, err
	}
	moves, err := lock.OpenDirectory(filepath.Dir(path))
	if err != nil {
		return nil, errors.Join(err, turn.Close())
	}
	conn := sql.OpenDB(c)
	conn.SetMaxOpenConns(1) // and it is never closed for being idle: the schema's statements stay prepared
	conn.SetMaxIdleConns(1)

	w := &writer{
		path: path, conn: conn, turn: turn, spare: sparePages, log: log, moves: moves, moveAt: checkpointPages, took: newTook(path),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := w.prepare(ctx, migrations); err != nil {
		return nil, errors.Join(err, conn.Close(), turn.Close(), moves.Close())
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	go w.run(run)
	return w, nil
}

// prepare sets what is stored in the file itself and migrates it.
func (w *writer) prepare(ctx context.Context, migrations []Migration) error {
	return w.turn.Pass(ctx, func() error {
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
		err = migrate(ctx, tx, migrations)
		if err == nil {
			err = prepareIdentity(ctx, tx)
		}
		if err != nil {
			rollback(tx)
			return err
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("commit the schema: %w", err)
		}
		return nil
	})
}
