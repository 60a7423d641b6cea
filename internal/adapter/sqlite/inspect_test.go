package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if files, _, err := Inspect(t.Context(), dir); err != nil || len(files) != 0 {
		t.Errorf("an empty directory: %v, %v", files, err)
	}
	b, err := Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	files, _, err := Inspect(t.Context(), dir) // beside the process that has it open
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if f.Version != f.Known || f.Version == 0 || f.Bytes == 0 {
			t.Errorf("%+v, want an up-to-date file", f)
		}
	}
}

func TestInspectRefusesWhatIsNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	if err := os.WriteFile(path,
		[]byte("this is no database, whatever it is called, and long enough to be one: SQLite's header has 100 bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if files, _, err := Inspect(t.Context(), dir); err == nil {
		t.Errorf("inspected as %v", files)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if files, _, err := Inspect(t.Context(), dir); err != nil || len(files) != 1 || files[0].Version != 0 {
		t.Errorf("an empty file: %v, %v", files, err)
	}
}
