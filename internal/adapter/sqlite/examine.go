package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
)

// dataView is what a file of a data directory looks like before it is opened for
// writing.
type dataView struct {
	*dataFile

	bytes       int64
	missing     bool
	log         bool // there is one with something in it
	damaged     bool // there is a log that is none
	version     int  // of the schema
	db.Identity      // as the file and its log say together
	alone       db.Identity
	used        bool // queue.db: a queue was opened, so that all files were there
}

// blank reports whether nothing was ever written to the file.
func (f *dataView) blank() bool { return f.missing || f.version == 0 && f.Directory == "" }

// examine looks at all files and changes nothing.
func examine(ctx context.Context, dir string) ([]*dataView, error) {
	var all []*dataView
	for _, file := range dataFiles() {
		f := &dataView{dataFile: &file}
		if err := f.inspect(ctx, filepath.Join(dir, file.name)); err != nil {
			return nil, fmt.Errorf("%s: %w", file.name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// Current reports whether a data directory has exactly the schema of this program, so that opening it changes no table. It
// changes nothing itself.
func Current(ctx context.Context, dir string) (bool, error) {
	files, err := examine(ctx, dir)
	if err != nil {
		return false, fmt.Errorf("examine %s: %w", dir, err)
	}
	for _, f := range files {
		if f.version != len(f.steps) {
			return false, nil
		}
	}
	return true, nil
}

// inspect reads the file alone and together with its log. It reads the log first: if the log is
// gone because another process closed the file, the file holds all of it.
func (f *dataView) inspect(ctx context.Context, path string) error {
	const tries = 4 // a log that moves while we look
	for range tries {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			f.missing = true
			return nil
		}
		if err != nil {
			return err
		}
		f.bytes = info.Size()
		if f.log, f.damaged, err = db.HasLog(path); err != nil || f.bytes == 0 {
			return err
		}
		torn := f.read(ctx, path, false) // the file as if there were no log
		f.alone = f.Identity
		if !f.log {
			return torn
		}
		if err := f.read(ctx, path, true); err != nil {
			return err
		}
		if torn != nil { // in the midst of a move, which the log can do again
			f.alone = db.Identity{}
		}
		if f.alone.Directory == "" || f.Mark.Follows(f.alone.Mark) {
			return nil
		}
	}
	return nil
}

// read reads the file, with its log or alone, and writes nothing.
func (f *dataView) read(ctx context.Context, path string, withLog bool) (err error) {
	pool, err := db.OpenUntouched(path, withLog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	tables, err := tablesOf(ctx, pool)
	if err != nil {
		return err
	}
	f.version, f.Identity, f.used = 0, db.Identity{}, false
	if tables["migration"] {
		if err := pool.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM migration`).Scan(&f.version); err != nil {
			return err
		}
	}
	if tables["directory"] {
		if f.Identity, err = db.ReadIdentity(ctx, pool); err != nil {
			return err
		}
	}
	if tables["queue"] {
		err = pool.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM queue)`).Scan(&f.used)
	}
	return err
}

func tablesOf(ctx context.Context, pool *sql.DB) (map[string]bool, error) {
	rows, err := pool.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table'`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all[name] = true
	}
	return all, rows.Err()
}

// judge returns what is wrong with the files of a directory, and the id that they
// have or will have.
func judge(dir string, files []*dataView) (id string, faults []*LossError) {
	ids := map[string][]string{} // by directory
	for _, f := range files {
		if f.Directory != "" {
			id = f.Directory
			ids[id] = append(ids[id], f.name)
		}
	}
	if len(ids) > 1 {
		return "", []*LossError{mixed(files)}
	}
	complete := wasComplete(files)
	named := slices.ContainsFunc(files, func(f *dataView) bool { return f.Complete })
	for _, f := range files {
		if fault := f.judge(dir, complete, named); fault != nil {
			faults = append(faults, fault)
		}
	}
	return id, faults
}

// wasComplete reports whether all files of the directory existed once. If not, the very first start
// was interrupted, and there is nothing to lose.
func wasComplete(files []*dataView) bool {
	gap := false
	for _, f := range files {
		switch {
		case f.Complete, f.used:
			return true
		case f.blank():
			gap = true
		case gap: // files are made in order: the one before was there
			return true
		}
	}
	return false
}

// judge returns what is wrong with one file, nil if nothing is. complete tells
// that no file was missing once, named that all had the directory's id.
func (f *dataView) judge(dir string, complete, named bool) *LossError {
	switch {
	case f.missing && complete:
		return lostFile(dir, f.dataFile, "is missing")
	case f.missing:
		return nil
	case f.blank() && complete:
		return lostFile(dir, f.dataFile, "is empty")
	case f.blank():
		return nil
	case f.Directory == "" && named:
		return &LossError{
			File: f.name, Remedy: restore,
			What: "has no directory id, though the other files have one: an earlier version of Belfry made it in place of one that was missing, " +
				"or it comes from elsewhere",
		}
	case f.alone.Directory == "":
		return nil
	case f.damaged && !f.alone.Mark.Whole:
		return lostLog(dir, f.dataFile, "was not closed, and the write-ahead log ("+f.name+db.LogSuffix+") that goes on from it is damaged")
	case !f.log && !f.alone.Mark.Whole:
		return lostLog(dir, f.dataFile, "was not closed, and the write-ahead log ("+f.name+db.LogSuffix+") that goes on from it is missing")
	case f.log && !f.Mark.Follows(f.alone.Mark):
		return lostLog(dir, f.dataFile,
			"has a write-ahead log ("+f.name+db.LogSuffix+
				") of another moment beside it, as when a file was restored and the log of the old one stayed")
	}
	return nil
}

// mixed is the fault of files that come from different directories.
func mixed(files []*dataView) *LossError {
	var first *dataView
	for _, f := range files {
		if f.Directory == "" {
			continue
		}
		if first == nil {
			first = f
			continue
		}
		if f.Directory != first.Directory {
			return &LossError{
				File: f.name, Remedy: restore + ".",
				What: fmt.Sprintf("belongs to another data directory than %s (%s and %s)", first.name, short(f.Directory), short(first.Directory)),
			}
		}
	}
	return nil
}

// short is the beginning of an id, which is enough to tell two apart.
func short(id string) string {
	head, _, _ := strings.Cut(id, "-")
	return head
}

// joined makes one error of faults.
func joined(faults []*LossError) error {
	var errs []error
	for _, f := range faults {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}
