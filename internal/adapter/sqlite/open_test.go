package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/push"
)

// forget makes files what an earlier version left.
func forget(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		d, err := sql.Open("sqlite", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.ExecContext(t.Context(), "DROP TABLE directory"); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Files of an earlier version get their id, once, whenever that is cut short;
// and what is missing among them is found out as well.
func TestFilesOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	all := []string{"queue.db", "store.db", "pages.db"}
	dir := makeDirectory(t)
	forget(t, dir, all...)
	if first, second := opens(t, dir), opens(t, dir); first != second {
		t.Errorf("the id was %s, is %s", first, second)
	}
	b := openBackend(t, dir)
	if d, err := b.Store().Document(t.Context(), "test", "0"); err != nil || len(d.Body) != 10 {
		t.Errorf("what was there before: %+v, %v", d, err)
	}
	for had := range all {
		dir := makeDirectory(t)
		forget(t, dir, all...)
		for _, name := range all[:had] { // had their id when the process died
			d := openFile(t, filepath.Join(dir, name), stepsOf(name))
			if err := errors.Join(d.Join(t.Context(), "early"), d.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if id := opens(t, dir); had > 0 && id != "early" {
			t.Errorf("after %d files had their id it is %q", had, id)
		}
	}
	for file, lost := range map[string]string{"queue.db": "queue.db", "store.db": "", "pages.db": "pages.db"} {
		dir := makeDirectory(t)
		forget(t, dir, all...)
		remove(t, dir, file)
		refused(t, dir, file, lost, "is missing")
	}
	// An earlier version makes what is missing anew.
	dir = makeDirectory(t)
	forget(t, dir, "queue.db")
	refused(t, dir, "queue.db", "", "has no directory id")
}

// openFile opens one file of a directory on its own, for the time of the test.
func openFile(tb testing.TB, path string, steps []db.Migration) *db.DB {
	tb.Helper()
	d, err := db.Open(tb.Context(), path, steps, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// stepsOf is the schema of a file.
func stepsOf(name string) []db.Migration {
	i := slices.IndexFunc(dataFiles(), func(f dataFile) bool { return f.name == name })
	return dataFiles()[i].steps
}

// The first start of all may be cut short anywhere.
func TestFirstStartCutShort(t *testing.T) {
	t.Parallel()
	for made := range dataFiles() {
		for _, how := range []string{"empty", "migrated", "named"} {
			dir := t.TempDir()
			for i, f := range dataFiles()[:made+1] {
				path := filepath.Join(dir, f.name)
				if i == made && how == "empty" {
					if err := db.CreateFile(path); err != nil {
						t.Fatal(err)
					}
					continue
				}
				d := openFile(t, path, f.steps)
				if how == "named" {
					if err := d.Join(t.Context(), "early"); err != nil {
						t.Fatal(err)
					}
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
			opens(t, dir)
		}
	}
}

func TestOpenFiles(t *testing.T) {
	t.Parallel()
	t.Run("are the owner's alone", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "new", "data")
		openBackend(t, dir)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode().Perm())
			}
		}
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("directory has mode %v, %v; want 0700", info.Mode().Perm(), err)
		}
	})
	t.Run("a file in the way", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), file, zap.NewNop()); err == nil {
			t.Error("Open on a file: no error")
		}
	})
	t.Run("another program's file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "queue.db"),
			[]byte("not a database, but long enough to be looked at as one: "+string(make([]byte, 200))), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, zap.NewNop()); err == nil {
			t.Error("Open: no error")
		} else {
			t.Log(err)
		}
	})
}

// A process that is stopped while it opens a directory is named, and so is one
// that uses it while it is repaired.
func TestWhoUsesTheDirectory(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who has a lock")
	}
	dir := t.TempDir()
	c := childtest.Spawn(t, "once", dir)
	c.Line()
	remove(t, dir, "queue.db")
	err := Repair(t.Context(), dir, "queue.db", zap.NewNop())
	if who := fmt.Sprintf("process %d (", c.Cmd.Process.Pid); push.OutageOf(err) != push.OutageBusy || !strings.Contains(err.Error(), who) {
		t.Errorf("repaired while it is in use by %s: %v", who, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "queue.db")); err == nil {
		t.Error("the file was made anew")
	}
	opener := childtest.Spawn(t, "opening", dir)
	opener.Line()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // it asks who it is within that
	defer cancel()
	_, err = Open(ctx, dir, zap.NewNop())
	if who := fmt.Sprintf("process %d (", opener.Cmd.Process.Pid); push.OutageOf(err) != push.OutageBusy ||
		!strings.Contains(err.Error(), who) {
		t.Errorf("while %s opens the directory: %v", who, err)
	}
}
