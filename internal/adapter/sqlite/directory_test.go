package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// makeDirectory is a directory that was in use and was closed.
func makeDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	b, err := Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	openQueue(t, b, "work", QueueConfig{})
	if err := writeAll(t.Context(), b, 0, 10); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeAll writes something into every file.
func writeAll(ctx context.Context, b *Backend, n, size int) error {
	q, err := b.Queue(ctx, "work", QueueConfig{})
	if err != nil {
		return err
	}
	data := []byte(strings.Repeat("x", size))
	_, err = b.Store().PutPage(ctx, push.ID(strconv.Itoa(n)), push.PageUpload, n, data)
	return errors.Join(err,
		q.Send(ctx, []worker.Outgoing{{Body: data[:min(size, 100_000)]}}),
		b.Store().PutDocument(ctx, document.Document{Kind: "test", Name: strconv.Itoa(n), Version: 1, Body: data}))
}

// copyFiles copies what the pattern names to an empty directory.
func copyFiles(t *testing.T, from, pattern string) (to string) {
	t.Helper()
	to = t.TempDir()
	names, err := filepath.Glob(filepath.Join(from, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("nothing like %s in %s: %v", pattern, from, err)
	}
	for _, name := range names {
		copyFile(t, name, filepath.Join(to, filepath.Base(name)))
	}
	return to
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// refused expects the directory to be refused for the file, with the words, by
// opening it and by looking at it, and to be left as it is.
func refused(t *testing.T, dir, file, lost string, words ...string) {
	t.Helper()
	before := listing(t, dir)
	b, err := Open(t.Context(), dir, zap.NewNop())
	if err == nil {
		_ = b.Close()
		t.Fatalf("opened without %s", lost)
	}
	f, ok := errors.AsType[*LossError](err)
	if !ok || f.File != file || f.Lost != lost {
		t.Fatalf("%v is about %+v, want %s without %q", err, f, file, lost)
	}
	for _, w := range append(words, "docs/backup.md") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	if after := listing(t, dir); !slices.Equal(before, after) {
		t.Errorf("a refused directory had %v, has %v", before, after)
	}
	_, faults, err := Inspect(t.Context(), dir)
	if err != nil || !slices.ContainsFunc(faults, func(g *LossError) bool { return *g == *f }) {
		t.Errorf("inspected as %v, %v", faults, err)
	}
}

// listing is the database files of a directory.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// opens expects the directory to be opened, with one id in all files.
func opens(t *testing.T, dir string) (id string) {
	t.Helper()
	b, err := Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	files, faults, err := Inspect(t.Context(), dir)
	if err != nil || len(faults) > 0 || len(files) != len(dataFiles()) {
		t.Fatalf("after opening: %d files, %v, %v", len(files), joined(faults), err)
	}
	for _, f := range files {
		if f.Directory == "" || f.Directory != files[0].Directory {
			t.Errorf("the id of %s is %q, of the first %q", f.Name, f.Directory, files[0].Directory)
		}
	}
	return files[0].Directory
}

func TestOneIDInAllFiles(t *testing.T) {
	t.Parallel()
	dir := makeDirectory(t)
	if first, second := opens(t, dir), opens(t, dir); first != second {
		t.Errorf("the id was %s, is %s", first, second)
	}
	if first, other := opens(t, dir), opens(t, makeDirectory(t)); first == other {
		t.Errorf("two directories have the id %s", first)
	}
}

func TestLostFilesAreRefused(t *testing.T) {
	t.Parallel()
	acceptable := map[string]string{"queue.db": "queue.db", "store.db": "", "pages.db": "pages.db"}
	for file, lost := range acceptable {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			dir := makeDirectory(t)
			words := []string{file + " is missing"}
			if lost != "" {
				words = append(words, "belfry repair --data "+dir+" --lost "+lost)
			}
			remove(t, dir, file)
			refused(t, dir, file, lost, words...)
			words[0] = file + " is empty"
			if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, file, lost, words...)
			remove(t, dir, file)
			d := openFile(t, filepath.Join(dir, file), nil) // a database, and nothing in it
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, file, lost, words...)
		})
	}
}

func TestFilesOfDifferentDirectoriesAreRefused(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"queue.db", "store.db", "pages.db"} {
		dir, other := makeDirectory(t), makeDirectory(t)
		copyFile(t, filepath.Join(other, file), filepath.Join(dir, file))
		if _, err := Open(t.Context(), dir, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "belongs to another data directory") {
			t.Errorf("%s of another directory: %v", file, err)
		}
	}
}
