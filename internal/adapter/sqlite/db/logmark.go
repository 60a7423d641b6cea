package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	driversqlite "modernc.org/sqlite"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
)

// LogMark is what shows, in a database file alone, that its write-ahead log is missing. SQLite does
// not notice that: it reads the file as it was when the log was last moved into it.
//
// The log always ends with the mark "whole"; the file never holds that mark without everything that
// was written before it. So before the log is moved into the file, the mark is set to "not whole",
// which moves along; afterwards "whole" is the first write in the log again:
//
//	file     n, not whole    has to have a log that goes on
//	log      n, whole        whoever moves all of it into the file makes that whole
//
// A clean stop moves all of the log, and so does any other program of SQLite's that closes the file
// last: neither counts as a loss. While the log is moved, its number grows by one, so that a log of
// another moment is detected, as when a backup was restored beside an old log.
type LogMark struct {
	Log   int64 // the number of the log
	Whole bool
}

// Follows reports whether m, read through a log, can come from the log that belongs to a file with
// the mark f.
func (m LogMark) Follows(f LogMark) bool {
	return m.Log == f.Log || m.Log == f.Log+1 && !m.Whole
}

const (
	// moveRetryPages is how many more pages are written before a move that a reader delayed is
	// tried again.
	moveRetryPages = checkpointPages / 8
	// moveForcePages is the length at which the log is moved without the mark, because the process
	// whose turn it is to move is stuck.
	moveForcePages = checkpointPages * 16
)

// moveLongLog moves the log into the file if it has grown long.
func (w *writer) moveLongLog(ctx context.Context) {
	pages, err := w.written(ctx)
	if err != nil || pages < w.moveAt {
		return
	}
	w.moveAt = pages + moveRetryPages
	ok, err := lock.Try(w.moves)
	switch {
	case err != nil:
	case !ok && pages < moveForcePages:
		return
	case !ok:
		_, err = w.checkpoint(ctx)
	default:
		var all bool
		if all, err = w.move(ctx); all {
			w.moveAt = checkpointPages
			w.resetWritten(ctx)
		}
		lock.Unlock(w.moves)
	}
	if (err != nil) != w.stuck { // repeated failure is logged when it changes
		w.stuck = err != nil
		if w.stuck {
			w.log.Warn("the write-ahead log cannot be moved into its file, and grows; trying on", zap.Error(err))
		} else {
			w.log.Info("the write-ahead log is moved again")
		}
	}
}

// move moves the log into the file, as [LogMark] describes. The caller keeps others from moving at
// the same time. It returns false if a reader delayed it: the log stays long, and the next move
// continues.
func (w *writer) move(ctx context.Context) (all bool, err error) {
	if err := w.setMark(ctx, `UPDATE directory SET whole = 0, log = log + 1 WHERE whole = 1`); err != nil {
		return false, err
	}
	if all, err = w.checkpoint(ctx); err != nil || !all {
		return false, err
	}
	return true, w.setMark(ctx, `UPDATE directory SET whole = 1 WHERE whole = 0`)
}

// MoveLog moves the write-ahead log into the file, which shows from then on that its log is
// missing. What a reader delays is moved later.
func (d *DB) MoveLog(ctx context.Context) error {
	_, err := d.writer.move(ctx)
	return err
}

// setMark writes the mark.
func (w *writer) setMark(ctx context.Context, update string) error {
	tx, err := w.begin(ctx)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(context.WithoutCancel(ctx), update)
	return finish(tx, err)
}

// checkpoint moves what no reader still needs out of the log, and reports whether that
// was all.
func (w *writer) checkpoint(ctx context.Context) (all bool, err error) {
	var busy, pages, moved int
	if err := w.conn.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved); err != nil {
		return false, fmt.Errorf("move the log: %w", err)
	}
	return busy == 0 && moved == pages, nil
}

// settleMark finishes a move that was interrupted. It runs before the last connection is closed,
// which moves everything.
func (w *writer) settleMark(ctx context.Context) error {
	whole := true
	err := w.conn.QueryRowContext(ctx, `SELECT whole FROM directory`).Scan(&whole)
	if err != nil || whole {
		return err
	}
	const pause, patience = 5 * time.Millisecond, time.Second
	for began := time.Now(); ; {
		ok, err := lock.Try(w.moves)
		if err != nil {
			return err
		}
		if ok || time.Since(began) > patience {
			_, err := w.move(ctx)
			lock.Unlock(w.moves)
			return err
		}
		wait := time.NewTimer(pause)
		<-wait.C
	}
}

// written is how many pages this process has written to the log since the last
// move.
func (w *writer) written(ctx context.Context) (pages int, err error) {
	return w.status(ctx, false)
}

// resetWritten sets the count of written pages to zero.
func (w *writer) resetWritten(ctx context.Context) { _, _ = w.status(ctx, true) }

func (w *writer) status(ctx context.Context, reset bool) (pages int, err error) {
	err = w.raw(ctx, func(c driver.Conn) error {
		s, ok := c.(driversqlite.DBStatus)
		if !ok {
			return errors.New("the driver does not count pages")
		}
		pages, _, err = s.Status(driversqlite.DBStatusCacheWrite, reset)
		return err
	})
	return pages, err
}

// raw lends the driver's own connection.
func (w *writer) raw(ctx context.Context, f func(c driver.Conn) error) error {
	return rawConnection(context.WithoutCancel(ctx), w.conn, f)
}

func rawConnection(ctx context.Context, pool *sql.DB, f func(c driver.Conn) error) (err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(c any) error {
		own, ok := c.(*cachingConn)
		if !ok {
			return errors.New("not a connection of ours")
		}
		return f(own.rawConn)
	})
}

// logHeader is how many bytes a log has before its first frame
// (https://www.sqlite.org/fileformat.html#walformat).
const logHeader = 32

// HasLog reports whether there is a write-ahead log with something in it beside the file at path.
// damaged reports that the file there is not a log.
func HasLog(path string) (alive, damaged bool, err error) {
	info, err := os.Stat(path + LogSuffix)
	if errors.Is(err, os.ErrNotExist) {
		return false, false, nil
	}
	if err != nil || info.Size() <= logHeader {
		return false, false, err
	}
	// Nobody has locks on this file, which closing it would drop.
	f, err := os.Open(path + LogSuffix) //nolint:gosec // beside the operator's database
	if err != nil {
		return false, false, err
	}
	defer func() { _ = f.Close() }()
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return false, false, err
	}
	if magic[0] != 0x37 || magic[1] != 0x7f || magic[2] != 0x06 || magic[3]&^1 != 0x82 {
		return false, true, nil
	}
	return true, false, nil
}
