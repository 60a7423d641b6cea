package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// FileState is what [Inspect] found of one database file.
type FileState struct {
	Name  string // base name
	Bytes int64  // of the file, without its write-ahead log
	// Version is the file's schema version, 0 for a file without one; Known is the
	// last one that this program knows. A program that starts brings a lower
	// version up to it and refuses a higher one.
	Version, Known int
}

// Inspect looks at the files of a data directory and changes nothing, neither
// their schemas nor what is missing: a file that does not exist is left out. It
// may run beside the processes that use the directory.
func Inspect(ctx context.Context, dir string) ([]FileState, error) {
	var all []FileState
	for _, file := range []struct {
		name  string
		known []migration
	}{
		{"queue.db", queueMigrations()},
		{"store.db", storeMigrations()},
		{"pages.db", pagesMigrations()},
	} {
		path := filepath.Join(dir, file.name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("inspect: %w", err)
		}
		version, err := versionOf(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("inspect %s: %w", path, err)
		}
		all = append(all, FileState{Name: file.name, Bytes: info.Size(), Version: version, Known: len(file.known)})
	}
	return all, nil
}

// versionOf reads the schema version of a file, opened so that it cannot be
// written.
func versionOf(ctx context.Context, path string) (version int, err error) {
	const patience = 5 * time.Second // for a process that recovers the log
	q := url.Values{"mode": {"ro"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds())}}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: q.Encode()}
	c, err := newConnector(name.String(), false)
	if err != nil {
		return 0, err
	}
	db := sql.OpenDB(c)
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migration'`).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM migration`).Scan(&version)
	return version, err
}
