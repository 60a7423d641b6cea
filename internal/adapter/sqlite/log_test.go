package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/push"
)

// killed is a directory whose process was killed while it wrote to all files.
func killed(t *testing.T, role string, lines int) string {
	t.Helper()
	dir := t.TempDir()
	c := childtest.Spawn(t, role, dir)
	for range lines {
		c.Line()
	}
	if err := c.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Cmd.Wait()
	return dir
}

func TestMissingLogIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		role  string
		lines int
	}{
		{"once", 1}, // killed before anything was moved out of the log
		{"grow", 40},
		{"long", 1}, // with a log that was moved many times
	} {
		t.Run(c.role, func(t *testing.T) {
			t.Parallel()
			dir := killed(t, c.role, c.lines)
			for _, f := range dataFiles() {
				log := f.name + db.LogSuffix
				without := copyFiles(t, dir, "*")
				remove(t, without, log)
				refused(t, without, f.name, log, "was not closed", log, "missing")
				remove(t, without, f.name+"-shm")
				refused(t, without, f.name, log, "was not closed", log, "missing")
				if err := os.WriteFile(filepath.Join(without, log), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				refused(t, without, f.name, log, "was not closed", log, "missing")
				if err := os.WriteFile(filepath.Join(without, log), make([]byte, 8192), 0o600); err != nil {
					t.Fatal(err)
				}
				refused(t, without, f.name, log, "was not closed", log, "damaged")
			}
			// A copy of the database files alone is what people make.
			if _, err := Open(t.Context(), copyFiles(t, dir, "*.db"), zap.NewNop()); err == nil {
				t.Error("opened without any log")
			}
			opens(t, dir) // with all that the kill left
			opens(t, copyFiles(t, dir, "*.db"))
		})
	}
}

// No alarm after kills, nor when another program was the last to close a file.
func TestNoFalseAlarmOfALog(t *testing.T) {
	t.Parallel()
	dir := killed(t, "grow", 40)
	for range 3 {
		opens(t, copyFiles(t, dir, "*"))
	}
	withoutIndex := copyFiles(t, dir, "*") // as after a power cut
	remove(t, withoutIndex, "queue.db-shm", "store.db-shm", "pages.db-shm")
	opens(t, withoutIndex)
	for _, f := range dataFiles() {
		other, err := sql.Open("sqlite", filepath.Join(dir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := errors.Join(other.QueryRowContext(t.Context(), "SELECT count(*) FROM migration").Scan(&n), other.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, f.name+db.LogSuffix)); err == nil {
			t.Errorf("%s still has a log: the test shows nothing", f.name)
		}
	}
	opens(t, dir)
}

// Killed while opening, again and again.
func TestKilledWhileOpening(t *testing.T) {
	t.Parallel()
	dir := makeDirectory(t)
	for range 5 {
		c := childtest.Spawn(t, "reopen", dir)
		for range 3 {
			c.Line()
		}
		if err := c.Cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Cmd.Wait()
	}
	opens(t, dir)
}

// An old log beside a file that was restored is not taken for its own.
func TestLogOfAnotherMoment(t *testing.T) {
	t.Parallel()
	dir := makeDirectory(t)
	cold := copyFiles(t, dir, "*.db")
	c := childtest.Spawn(t, "grow", dir)
	for range 40 {
		c.Line()
	}
	if err := c.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Cmd.Wait()
	copyFile(t, filepath.Join(cold, "store.db"), filepath.Join(dir, "store.db"))
	refused(t, dir, "store.db", "store.db-wal", "store.db-wal", "of another moment")
}

// A log that is removed under a running process is told at once, and saved by an
// orderly stop.
func TestLogRemovedUnderAProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writeAll(t.Context(), b, 1, 1000), b.PulseLedger(t.Context())); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, "store.db-wal")
	if err := b.PulseLedger(t.Context()); push.OutageOf(err) != push.OutageDown || !strings.Contains(err.Error(), "SIGTERM") {
		t.Errorf("without its log: %v", err)
	}
	refused(t, dir, "store.db", "store.db-wal", "store.db-wal")
	if err := writeAll(t.Context(), b, 2, 1000); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openBackend(t, dir).Store().Page(t.Context(), push.ID("2"), push.PageUpload, 2); err != nil {
		t.Error(err)
	}
}
