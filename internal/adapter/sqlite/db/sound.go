package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// SoundWithoutLog reports whether the file is a sound database without any log.
func SoundWithoutLog(ctx context.Context, path string) (err error) {
	pool, err := OpenUntouched(path, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	var says string
	if err := pool.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&says); err != nil {
		return err
	}
	if says != "ok" {
		return fmt.Errorf("the file is damaged: %s", says)
	}
	return nil
}

// OpenUntouched opens a file that must not be changed: with its write-ahead log, or
// as if it had none.
func OpenUntouched(path string, withLog bool) (*sql.DB, error) {
	const patience = 5 * time.Second // for a process that recovers the log
	q := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds())}}
	if withLog {
		q.Set("mode", "ro")
	} else {
		q.Set("immutable", "1")
	}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: q.Encode()}
	c, err := newConnector(name.String(), false)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}
