package db

import (
	"context"
	"database/sql"
	"errors"

	driversqlite "modernc.org/sqlite"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
)

// OpenExisting opens a pool of one connection to a file that must be there.
func OpenExisting(path string, pragmas ...string) (*sql.DB, error) {
	c, err := newConnector(dsn(path, readBusy, pragmas...)+"&mode=rw", false)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(c)
	pool.SetMaxOpenConns(1)
	return pool, nil
}

// HoldWriters stands in line for the file's write lock and keeps it until release
// is called.
func HoldWriters(ctx context.Context, path string) (release func(), err error) {
	pool, err := OpenExisting(path, "busy_timeout(0)") // the fair lock does the waiting
	if err != nil {
		return nil, err
	}
	turn, err := lock.OpenFair(path, lockWait)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	var tx *sql.Tx
	err = turn.Pass(ctx, func() (err error) {
		tx, err = pool.BeginTx(ctx, nil)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, turn.Close(), pool.Close())
	}
	return func() {
		rollback(tx)
		_, _ = turn.Close(), pool.Close()
	}, nil
}

// backuper is what modernc's connection offers for SQLite's online backup
// (https://www.sqlite.org/backup.html).
type backuper interface {
	NewBackup(to string) (*driversqlite.Backup, error)
}

// CopyPages copies what the connection sees to the file at path, page by page, and
// reports how many pages are done. The connection is of [OpenExisting]; a transaction
// that it has begun fixes what is copied. The copy is not synced.
func CopyPages(ctx context.Context, from *sql.Conn, path string, progress func(done, total int)) error {
	return from.Raw(func(c any) (err error) {
		own, ok := c.(*cachingConn)
		if !ok {
			return errors.New("not a connection of ours")
		}
		source, ok := own.rawConn.(backuper)
		if !ok {
			return errors.New("the driver makes no backups")
		}
		// Synced once, when all is there.
		b, err := source.NewBackup(dsn(path, readBusy, "synchronous(OFF)"))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Finish()) }()
		const step = 1024 // pages of 4 KiB
		for {
			more, err := b.Step(step)
			if err != nil {
				return err
			}
			if total := b.PageCount(); total > 0 {
				progress(total-b.Remaining(), total)
			}
			if !more {
				return ctx.Err()
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	})
}
