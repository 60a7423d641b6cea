package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "data")
	results := Embedded(dir)(t.Context())
	expect(t, results, "data directory", StatusOK, "will be made")
	expect(t, results, "schema", StatusOK, "no files yet")
	if _, err := os.Stat(filepath.Dir(dir)); err == nil {
		t.Error("the doctor made a directory")
	}
	b, err := sqlite.Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	results = Embedded(dir)(t.Context())
	expect(t, results, "data directory", StatusOK, "writable")
	expect(t, results, "schema", StatusOK, "queue.db version ", "store.db version ")
	expect(t, results, "files", StatusOK, "all 3 are there")
	if left, _ := filepath.Glob(filepath.Join(dir, ".belfry-doctor-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	expect(t, Embedded(dir)(t.Context()), "data directory", StatusWarning, "0755", "chmod 0700")
}

func TestEmbeddedFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "store.db")
	if err := os.WriteFile(file,
		[]byte("nonsense that is long enough to be read as the header of a database, which has one hundred bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	expect(t, Embedded(dir)(t.Context()), "schema", StatusFailed, "store.db", "backup")
	results := Embedded(file)(t.Context())
	expect(t, results, "data directory", StatusFailed, "is not a directory", "BELFRY_DATA")
	if len(results) != 1 {
		t.Errorf("%d results, want none that follow from the first", len(results))
	}
	expect(t, Embedded(filepath.Join(file, "x"))(t.Context()), "data directory", StatusFailed, "BELFRY_DATA")
}

// What is lost is named with its remedy, and what was restored is said.
func TestEmbeddedLosses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	open := func(dir string) {
		t.Helper()
		b, err := sqlite.Open(t.Context(), dir, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open(dir)
	backups := []string{filepath.Join(t.TempDir(), "1"), filepath.Join(t.TempDir(), "2")}
	for _, to := range backups {
		if _, err := sqlite.Backup(t.Context(), dir, to, nil); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, Embedded(backups[0])(t.Context()), "files", StatusOK, "restored from ")
	if err := os.Rename(filepath.Join(backups[1], "queue.db"), filepath.Join(backups[0], "queue.db")); err != nil {
		t.Fatal(err)
	}
	expect(t, Embedded(backups[0])(t.Context()), "files", StatusWarning, "not all files are of one moment", "docs/backup.md")
	if err := os.Remove(filepath.Join(dir, "queue.db")); err != nil {
		t.Fatal(err)
	}
	expect(t, Embedded(dir)(t.Context()), "files", StatusFailed, "queue.db is missing", "belfry repair --data "+dir+" --lost queue.db")
	expect(t, Embedded(backups[1])(t.Context()), "files", StatusFailed, "queue.db is missing", "belfry repair")
}

func TestSpace(t *testing.T) {
	t.Parallel()
	for free, want := range map[uint64]Status{0: StatusFailed, fullSpace: StatusWarning, lowSpace: StatusOK, 1 << 40: StatusOK} {
		if got := judgeSpace("disk space", free); got.Status != want {
			t.Errorf("%d bytes free is %s, want %s", free, got.Status, want)
		}
	}
}
