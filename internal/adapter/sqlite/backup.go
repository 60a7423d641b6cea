package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
)

// Copy is a backup that was made.
type Copy struct {
	Path      string     `json:"path"`
	Directory string     `json:"directory"` // id of the data directory
	At        time.Time  `json:"at"`        // the moment that all files are of
	Files     []CopyFile `json:"files"`
}

// CopyFile is one file of a backup.
type CopyFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// Progress is told while a backup is made: how many bytes of all files are copied.
type Progress func(done, total int64)

// Backup copies a data directory to a new directory at to, whether processes use
// it or not. All files of the copy are of one moment, at which no process was
// writing any of them: what was acknowledged before is in it, what came after is
// not. Writers wait for that moment, some milliseconds, and not for the copy; the
// write-ahead logs grow until it is done.
//
// The copy is synced to the disk, checked and complete when it appears under its
// name. A path that exists is refused, and a directory with a [LossError] too.
// progress may be nil.
func Backup(ctx context.Context, dir, to string, progress Progress) (Copy, error) {
	c, err := backup(ctx, dir, to, progress)
	if err != nil {
		return Copy{}, fmt.Errorf("backup of %s: %w", dir, err)
	}
	return c, nil
}

func backup(ctx context.Context, dir, to string, progress Progress) (_ Copy, err error) {
	to, err = filepath.Abs(to)
	if err != nil {
		return Copy{}, err
	}
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s exists: name a path that does not, a backup overwrites nothing", to)
		}
		return Copy{}, err
	}
	s, err := takeSnapshot(ctx, dir)
	if err != nil {
		return Copy{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := os.MkdirAll(filepath.Dir(to), dirMode); err != nil {
		return Copy{}, err
	}
	//nolint:gosec // no disk has 8 EiB
	if free, size, err := db.DiskSpace(filepath.Dir(to)); err == nil && size > 0 && s.bytes() > int64(free) {
		return Copy{}, fmt.Errorf("the copy needs %d MiB and only %d are free in %s", s.bytes()>>20, free>>20, filepath.Dir(to))
	}
	partial, err := os.MkdirTemp(filepath.Dir(to), "."+filepath.Base(to)+".partial-")
	if err != nil {
		return Copy{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }() // not there after a success
	c, err := s.copyTo(ctx, partial, progress)
	if err != nil {
		return Copy{}, err
	}
	if err := errors.Join(syncPath(partial), os.Rename(partial, to), syncPath(filepath.Dir(to))); err != nil {
		return Copy{}, err
	}
	c.Path = to
	return c, nil
}

// snapshot reads all files of a directory as they were at one moment.
type snapshot struct {
	id    string
	at    time.Time
	files []*snapshotFile
}

// snapshotFile is one of them: a connection in a reading transaction.
type snapshotFile struct {
	dataFile

	pool  *sql.DB
	conn  *sql.Conn
	bytes int64
}

// takeSnapshot stops the writers of all files for as long as it takes to begin
// reading them.
func takeSnapshot(ctx context.Context, dir string) (_ *snapshot, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err // not to make a lock file in a directory that is none of ours
	}
	release, err := lock.Directory(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer release()
	views, err := examine(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &snapshot{}
	var faults []*LossError
	if s.id, faults = judge(dir, views); len(faults) > 0 {
		return nil, joined(faults)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, v := range views {
		if v.blank() {
			return nil, fmt.Errorf("%s is missing or empty: this is no data directory that was in use", v.name)
		}
		f := &snapshotFile{dataFile: *v.dataFile}
		s.files = append(s.files, f)
		if err := f.open(ctx, filepath.Join(dir, f.name)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if s.id == "" {
		s.id = db.NewDirectoryID()
	}
	return s, s.begin(ctx, dir)
}

// begin takes every file's write lock, begins to read every file, and gives the
// locks back. No writer of ours takes two of them, so the order is of no matter.
func (s *snapshot) begin(ctx context.Context, dir string) error {
	for _, f := range s.files {
		unlock, err := db.HoldWriters(ctx, filepath.Join(dir, f.name))
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		defer unlock()
	}
	s.at = time.Now().UTC()
	for _, f := range s.files {
		if err := f.begin(ctx); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func (s *snapshot) bytes() (n int64) {
	for _, f := range s.files {
		n += f.bytes
	}
	return n
}

func (s *snapshot) close() error {
	var errs []error
	for _, f := range s.files {
		if f.conn != nil {
			errs = append(errs, f.conn.Close())
		}
		if f.pool != nil {
			errs = append(errs, f.pool.Close())
		}
	}
	return errors.Join(errs...)
}

func (f *snapshotFile) open(ctx context.Context, path string) (err error) {
	if f.pool, err = db.OpenExisting(path, "query_only(1)"); err != nil {
		return err
	}
	f.conn, err = f.pool.Conn(ctx)
	return err
}

// begin fixes what the connection sees.
func (f *snapshotFile) begin(ctx context.Context) error {
	if _, err := f.conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	const query = `SELECT p.page_count * s.page_size FROM pragma_page_count p, pragma_page_size s`
	return f.conn.QueryRowContext(ctx, query).Scan(&f.bytes)
}

// copyTo copies, checks and syncs all files.
func (s *snapshot) copyTo(ctx context.Context, to string, progress Progress) (Copy, error) {
	c := Copy{Directory: s.id, At: s.at}
	var done int64
	for _, f := range s.files {
		path := filepath.Join(to, f.name)
		err := f.copyTo(ctx, path, func(n int64) {
			if progress != nil {
				progress(done+n, s.bytes())
			}
		})
		if err == nil {
			err = s.finish(ctx, path)
		}
		if err != nil {
			return Copy{}, fmt.Errorf("%s: %w", f.name, err)
		}
		done += f.bytes
		c.Files = append(c.Files, CopyFile{Name: f.name, Bytes: f.bytes})
	}
	return c, nil
}

// copyTo copies the file page by page from the transaction that was begun.
func (f *snapshotFile) copyTo(ctx context.Context, path string, progress func(done int64)) error {
	if err := db.CreateFile(path); err != nil {
		return err
	}
	return db.CopyPages(ctx, f.conn, path, func(copied, pages int) {
		progress(f.bytes * int64(copied) / int64(pages))
	})
}

// finish notes in the copy what it is, checks it and syncs it.
func (s *snapshot) finish(ctx context.Context, path string) error {
	if err := db.RewindCopy(ctx, path, s.id, s.at); err != nil {
		return err
	}
	for _, suffix := range []string{db.LogSuffix, "-shm"} {
		if _, err := os.Lstat(path + suffix); err == nil {
			return fmt.Errorf("the copy was not closed: it has a %s", suffix)
		}
	}
	if err := db.SoundWithoutLog(ctx, path); err != nil {
		return err
	}
	return syncPath(path)
}

// syncPath makes a file, or the names in a directory, durable.
func syncPath(path string) error {
	f, err := os.Open(path) //nolint:gosec // what we have made
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
