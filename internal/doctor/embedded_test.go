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
	if err := os.WriteFile(file, []byte("nonsense that is long enough to be read as the header of a database, which has one hundred bytes or more"), 0o600); err != nil {
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

func TestSpace(t *testing.T) {
	t.Parallel()
	for free, want := range map[uint64]Status{0: StatusFailed, fullSpace: StatusWarning, lowSpace: StatusOK, 1 << 40: StatusOK} {
		if got := judgeSpace("disk space", free); got.Status != want {
			t.Errorf("%d bytes free is %s, want %s", free, got.Status, want)
		}
	}
}
