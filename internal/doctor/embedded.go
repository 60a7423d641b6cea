package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
)

// Free space of the disk that holds the data directory. A million recipients
// need some 200 MB of pages and lines while they are sent.
const (
	lowSpace  = 2 << 30
	fullSpace = 256 << 20
)

// Embedded examines the data directory of the embedded backend.
func Embedded(dir string) Check {
	return func(ctx context.Context) []Result {
		at := dir
		results := []Result{writable(dir, &at)}
		if results[0].Status == StatusFailed {
			return results
		}
		files, faults, err := sqlite.Inspect(ctx, dir)
		if err != nil {
			return append(results,
				failed("schema", err.Error(),
					"restore all files of the directory from one backup (docs/backup.md); Belfry does not start with one that it cannot read"),
				space(at))
		}
		return slices.Concat(results, []Result{schema(files)}, lost(faults, files), []Result{space(at)})
	}
}

// lost says what became of the files since they were last in use.
func lost(faults []*sqlite.LossError, files []sqlite.FileState) []Result {
	const name = "files"
	var all []Result
	for _, f := range faults {
		all = append(all, failed(name, f.File+" "+f.What, f.Remedy))
	}
	if len(all) > 0 || len(files) == 0 {
		return all
	}
	detail := fmt.Sprintf("all %d are there and belong together", len(files))
	restored := 0
	for _, f := range files {
		if !f.StateOf.IsZero() {
			restored++
		}
		if !f.StateOf.Equal(files[0].StateOf) {
			return []Result{warning(name, "not all files are of one moment: "+
				moments(files), "restore all of them from one backup (docs/backup.md), or start: what is open is sent anew and flagged")}
		}
	}
	if restored > 0 {
		detail += ", restored from " + files[0].StateOf.Format(time.RFC3339) + ": what was open then is sent anew and flagged with the next start"
	}
	return []Result{ok(name, detail)}
}

func moments(files []sqlite.FileState) string {
	var detail []string
	for _, f := range files {
		at := "as it was left"
		if !f.StateOf.IsZero() {
			at = "of " + f.StateOf.Format(time.RFC3339)
		}
		detail = append(detail, f.Name+" "+at)
	}
	return strings.Join(detail, ", ")
}

// writable finds out whether files can be made in the directory, or the
// directory itself in the nearest one that is there, which it leaves in at.
func writable(dir string, at *string) Result {
	const name = "data directory"
	remedy := fmt.Sprintf("make it a directory that this user may write (mode 0700), or choose another with BELFRY_DATA (now %s)", dir)
	info, err := os.Stat(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing:
		if *at, err = nearest(dir); err != nil {
			return failed(name, err.Error(), remedy)
		}
	case err != nil:
		return failed(name, err.Error(), remedy)
	case !info.IsDir():
		return failed(name, dir+" is not a directory", remedy)
	}
	f, err := os.CreateTemp(*at, ".belfry-doctor-*")
	if err != nil {
		return failed(name, err.Error(), remedy)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return failed(name, err.Error(), remedy)
	}
	if missing {
		return ok(name, dir+" will be made when Belfry starts")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return warning(name, fmt.Sprintf("%s is open to other users (mode %#o)", dir, info.Mode().Perm()),
			"chmod 0700: it holds tokens and messages")
	}
	return ok(name, dir+" is writable")
}

// nearest returns the closest directory above that exists.
func nearest(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for up := filepath.Dir(abs); ; up = filepath.Dir(up) {
		if _, err := os.Stat(up); !errors.Is(err, fs.ErrNotExist) || up == filepath.Dir(up) {
			return up, err
		}
	}
}

func schema(files []sqlite.FileState) Result {
	const name = "schema"
	if len(files) == 0 {
		return ok(name, "no files yet")
	}
	var detail []string
	for _, f := range files {
		detail = append(detail, fmt.Sprintf("%s version %d", f.Name, f.Version))
		if f.Version > f.Known {
			return failed(name, fmt.Sprintf("%s has version %d, this program knows %d", f.Name, f.Version, f.Known),
				"run the program that wrote it, or a later one")
		}
		if f.Version < f.Known {
			detail[len(detail)-1] += fmt.Sprintf(", will be brought to %d", f.Known)
		}
	}
	return ok(name, strings.Join(detail, "; "))
}

func space(dir string) Result {
	const name = "disk space"
	free, err := freeBytes(dir)
	if err != nil {
		return skipped(name, err.Error())
	}
	return judgeSpace(name, free)
}

func judgeSpace(name string, free uint64) Result {
	detail := fmt.Sprintf("%d MiB free", free>>20)
	const remedy = "make room: a write that does not fit is refused, and nothing is accepted until there is space"
	switch {
	case free < fullSpace:
		return failed(name, detail, remedy)
	case free < lowSpace:
		return warning(name, detail, remedy)
	default:
		return ok(name, detail)
	}
}
