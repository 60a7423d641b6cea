package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
		return append(results, schema(ctx, dir), space(at))
	}
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
		return warning(name, fmt.Sprintf("%s is open to other users (mode %#o)", dir, info.Mode().Perm()), "chmod 0700: it holds tokens and messages")
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

func schema(ctx context.Context, dir string) Result {
	const name = "schema"
	files, err := sqlite.Inspect(ctx, dir)
	if err != nil {
		return failed(name, err.Error(), "restore the file from a backup; Belfry does not start with one that it cannot read")
	}
	if len(files) == 0 {
		return ok(name, "no files yet")
	}
	var says []string
	for _, f := range files {
		says = append(says, fmt.Sprintf("%s version %d", f.Name, f.Version))
		if f.Version > f.Known {
			return failed(name, fmt.Sprintf("%s has version %d, this program knows %d", f.Name, f.Version, f.Known), "run the program that wrote it, or a later one")
		}
		if f.Version < f.Known {
			says[len(says)-1] += fmt.Sprintf(", will be brought to %d", f.Known)
		}
	}
	return ok(name, strings.Join(says, "; "))
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
	says := fmt.Sprintf("%d MiB free", free>>20)
	const remedy = "make room: a write that does not fit is refused, and nothing is accepted until there is space"
	switch {
	case free < fullSpace:
		return failed(name, says, remedy)
	case free < lowSpace:
		return warning(name, says, remedy)
	default:
		return ok(name, says)
	}
}
