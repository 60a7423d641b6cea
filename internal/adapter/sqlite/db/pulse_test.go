package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
	"github.com/belfry-push/belfry/internal/push"
)

// A pulse is a write: whatever keeps writes from being committed keeps it too.
func TestPulse(t *testing.T) {
	t.Parallel()
	d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
	size := func() int64 {
		info, err := os.Stat(d.path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	for range 3 {
		if err := d.Pulse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if size() <= before {
		t.Error("nothing was written")
	}

	pragma(t, d, "query_only = 1")
	if err := d.Pulse(t.Context()); push.OutageOf(err) != push.OutageReadOnly || !strings.Contains(err.Error(), "a.db: ") {
		t.Errorf("read only: %v", err)
	}
	if _, err := d.writer.conn.ExecContext(t.Context(), "PRAGMA query_only = 0"); err != nil {
		t.Fatal(err)
	}
	if err := d.Pulse(t.Context()); err != nil {
		t.Errorf("mended: %v", err)
	}

	if err := os.Rename(d.path, d.path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := d.Pulse(t.Context()); push.OutageOf(err) != push.OutageDown || !strings.Contains(err.Error(), "removed") {
		t.Errorf("taken away: %v", err)
	}
	// Nothing is acknowledged that goes to a file which nobody can open any more.
	if err := d.Write(t.Context(), func(*sql.Tx) error { return nil }); push.OutageOf(err) != push.OutageDown ||
		!strings.Contains(err.Error(), "removed") {
		t.Errorf("a write to a file that was taken away: %v", err)
	}
	if err := os.Rename(d.path+".away", d.path); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), func(*sql.Tx) error { return nil }); err != nil {
		t.Errorf("put back: %v", err)
	}
}

func TestPulseBehindALock(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who has a lock")
	}
	dir := t.TempDir()
	d := openTestDB(t, filepath.Join(dir, "a.db"), countSchema())
	other := childtest.Spawn(t, "hold", dir)
	if got := other.Line(); got != "holding" {
		t.Fatalf("the child says %q", got)
	}
	stop(t, other)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // it asks who it is within that
	defer cancel()
	err := d.Pulse(ctx)
	if push.OutageOf(err) != push.OutageTimeout || !strings.Contains(err.Error(), fmt.Sprintf("kill -CONT %d", other.Cmd.Process.Pid)) {
		t.Errorf("%v of the outage %q, want %q and who it is", err, push.OutageOf(err), push.OutageTimeout)
	}
	if err := errors.Join(other.Cmd.Process.Signal(syscall.SIGCONT), other.In.Close()); err != nil {
		t.Fatal(err)
	}
	if err := d.Pulse(t.Context()); err != nil {
		t.Errorf("let go: %v", err)
	}
}

func TestSpace(t *testing.T) {
	t.Parallel()
	if err := checkSpace(filepath.Join(t.TempDir(), "a.db")); err != nil {
		t.Skipf("the disk of the tests is full itself: %v", err)
	}
	if free, size, err := DiskSpace(t.TempDir()); err == nil && (free == 0 || size < free) {
		t.Errorf("%d of %d bytes are free", free, size)
	}
	if err := checkSpace("/nowhere/a.db"); err != nil {
		t.Errorf("what is not known is no fault: %v", err)
	}
}
