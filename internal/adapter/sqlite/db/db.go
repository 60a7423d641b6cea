package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// minReaders is the least size of the pool of reading connections. In WAL
	// mode they neither wait for the writer nor hold it up.
	minReaders = 4

	// readBusy is how long a read waits for a lock; in WAL mode only recovery
	// after a crash and the close of the last connection take one.
	readBusy = 5 * time.Second

	// checkpointPages is how long the write-ahead log grows, in pages of 4 KiB,
	// before a commit moves it into the database file: 16 MiB. SQLite's own 1,000
	// pages would do so every seventh receive of ten 60 KB messages.
	checkpointPages = 4000

	// walKeepBytes is what a reset log is cut down to.
	walKeepBytes = 64 << 20

	// lockWait is when waiting for the write lock is given up. No transaction of
	// ours is a thousandth as long: its holder is stuck or stopped.
	lockWait = 10 * time.Second

	// LogSuffix is what SQLite names a file's write-ahead log by.
	LogSuffix = "-wal"

	fileMode = 0o600
)

// DB is one SQLite file: one group-committing writer and a pool of readers.
// All methods are safe for concurrent use.
type DB struct {
	path    string
	writer  *writer
	readers *sql.DB

	closeOnce sync.Once
	closed    error
}

// Open opens or creates the file and brings its schema up to the last of the
// migrations. Several processes may open the same file at once. A cache may be given for a file that
// needs less than the usual one.
func Open(ctx context.Context, path string, migrations []Migration, log *zap.Logger, cache ...Cache) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database path: %w", err)
	}
	if err := CreateFile(path); err != nil {
		return nil, err
	}
	size := usual()
	for _, c := range cache {
		size = c
	}
	w, err := openWriter(ctx, path, migrations, log, size.Writer)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	readers, err := openReaders(ctx, path, size.Reader)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, errors.Join(err, w.close()))
	}
	return &DB{path: path, writer: w, readers: readers}, nil
}

// Write runs f in a transaction that it may share with other callers, and
// returns once that transaction is durable. A nil error means committed.
//
// f's error undoes what f did, and only that, and is returned as it is. f may
// run more than once (when the shared transaction fails for another caller's
// reason), so it sets what it hands out from scratch; it must not commit, wait
// for anything but the database, or call Write. It sees everything committed
// before, by any process, and nobody else writes while it runs.
//
// Bulk goes to [DB.WriteLater] instead, so that it holds nobody up.
//
// A ctx that is cancelled before f starts ends the wait with f not run; after
// that, Write returns f's outcome.
func (d *DB) Write(ctx context.Context, f func(tx *sql.Tx) error) error {
	return d.writer.do(ctx, laneSoon, &request{f: f})
}

// OpenForReading opens a file that exists for [DB.Read] alone: nothing else of it may be called but [DB.Close]. It leaves the
// file and its log, if it has one, as they are.
func OpenForReading(ctx context.Context, path string, withLog bool) (*DB, error) {
	pool, err := OpenUntouched(path, withLog)
	if err != nil {
		return nil, err
	}
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &DB{path: path, readers: pool}, nil
}

// Read is the pool of read-only connections. A query sees every write that
// returned before it started.
func (d *DB) Read() *sql.DB { return d.readers }

// Close lets running writes finish, refuses the waiting ones and closes the
// file. It waits for readers to return their connections. Closing again is fine.
func (d *DB) Close() error {
	d.closeOnce.Do(func() {
		err := d.readers.Close()
		if d.writer != nil {
			err = errors.Join(err, d.writer.close())
		}
		if err != nil {
			d.closed = fmt.Errorf("close %s: %w", d.path, err)
		}
	})
	return d.closed
}

// CreateFile makes the empty file, so that it and the files that SQLite puts
// beside it with the same mode are the owner's alone. An existing file is not
// even opened: closing it would drop this process's POSIX locks on it
// (https://www.sqlite.org/howtocorrupt.html, §2.2).
func CreateFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode) //nolint:gosec // the operator's data directory
	switch {
	case err == nil:
		if err := f.Close(); err != nil {
			return fmt.Errorf("create database: %w", err)
		}
		return nil
	case errors.Is(err, os.ErrExist):
		return nil
	default:
		return fmt.Errorf("create database: %w", err)
	}
}

func openReaders(ctx context.Context, path string, cache int) (*sql.DB, error) {
	c, err := newConnector(dsn(path, readBusy,
		"query_only(1)",
		cacheSize(cache),
	), false)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(c)
	n := max(minReaders, runtime.GOMAXPROCS(0))
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}

// dsn is the data source name of the file in modernc.org/sqlite's syntax. The
// pragmas run on every new connection, in this order.
func dsn(path string, busy time.Duration, pragmas ...string) string {
	q := url.Values{"_txlock": {"immediate"}}
	q.Add("_pragma", "busy_timeout("+strconv.FormatInt(busy.Milliseconds(), 10)+")")
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: q.Encode()}
	return u.String()
}
