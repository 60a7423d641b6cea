package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
	"github.com/belfry-push/belfry/internal/push"
)

// fill inserts until the file takes no more.
func fill(ctx context.Context, d *DB) error {
	for i := range 10_000 {
		name := strconv.Itoa(i) + strings.Repeat("x", 10_000)
		if err := d.Write(ctx, func(tx *sql.Tx) error { return insert(ctx, tx, name) }); err != nil {
			return err
		}
	}
	return errors.New("the file never became full")
}

// pragma sets something on the writing connection.
func pragma(t *testing.T, d *DB, text string) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "PRAGMA "+text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// What SQLite really says in each trouble becomes the outage that it is, and is
// over when the trouble is.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want push.Outage
		do   func(t *testing.T, d *DB) error
		mend func(t *testing.T, d *DB)
	}{
		{
			"full", push.OutageFull,
			func(t *testing.T, d *DB) error {
				t.Helper()
				pragma(t, d, "max_page_count = 20")
				return fill(t.Context(), d)
			},
			func(t *testing.T, d *DB) { t.Helper(); pragma(t, d, "max_page_count = 100000") },
		},
		{
			"read only", push.OutageReadOnly,
			func(t *testing.T, d *DB) error {
				t.Helper()
				pragma(t, d, "query_only = 1")
				return d.Write(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "a") })
			},
			func(t *testing.T, d *DB) {
				t.Helper()
				// Not in a transaction: none would begin.
				if _, err := d.writer.conn.ExecContext(t.Context(), "PRAGMA query_only = 0"); err != nil {
					t.Fatal(err)
				}
			},
		},
		{"a constraint", "", func(t *testing.T, d *DB) error {
			t.Helper()
			return d.Write(t.Context(), func(tx *sql.Tx) error { return errors.Join(insert(t.Context(), tx, "b"), insert(t.Context(), tx, "b")) })
		}, nil},
		{"a statement that is wrong", "", func(t *testing.T, d *DB) error {
			t.Helper()
			return d.Read().QueryRowContext(t.Context(), "SELECT nothing FROM nowhere").Scan()
		}, nil},
		{"a write on the reading side", push.OutageReadOnly, func(t *testing.T, d *DB) error {
			t.Helper()
			_, err := d.Read().ExecContext(t.Context(), "DELETE FROM item")
			return err
		}, nil},
		{"closed", push.OutageClosing, func(t *testing.T, d *DB) error {
			t.Helper()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			return d.Write(t.Context(), func(*sql.Tx) error { return nil })
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := openTestDB(t, filepath.Join(t.TempDir(), "a.db"), itemSchema())
			err := c.do(t, d)
			if err == nil || push.OutageOf(err) != c.want {
				t.Fatalf("%v is the outage %q, want %q", err, push.OutageOf(err), c.want)
			}
			if c.mend == nil {
				return
			}
			c.mend(t, d)
			if err := d.Write(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx, "after") }); err != nil {
				t.Errorf("mended, and still: %v", err)
			}
		})
	}
}

func TestOutagesOfOpening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		want       push.Outage
	}{
		{"no such directory", filepath.Join(dir, "none", "a.db"), push.OutageDown},
		{"not a database", garbage, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := openReaders(t.Context(), c.path, 1<<10)
			if err == nil || push.OutageOf(err) != c.want {
				t.Errorf("%v is the outage %q, want %q", err, push.OutageOf(err), c.want)
			}
		})
	}
}

// The operating system's own words, as they come from what is not SQLite.
func TestOutagesOfTheSystem(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]push.Outage{
		syscall.ENOSPC: push.OutageFull, syscall.EDQUOT: push.OutageFull, syscall.EROFS: push.OutageReadOnly, syscall.EACCES: push.OutageReadOnly,
		syscall.EIO: push.OutageDown, syscall.EMFILE: push.OutageDown, syscall.ENOENT: "",
	} {
		err := &os.PathError{Op: "open", Path: "queue.db-turn", Err: errno}
		if got := outageOf(err); got != want {
			t.Errorf("%v is the outage %q, want %q", err, got, want)
		}
	}
}

// A disk that takes no more bytes of a file, as SQLite meets it below itself.
func TestOutageOfALimitedFile(t *testing.T) {
	t.Parallel()
	if got := childtest.Spawn(t, "limited", t.TempDir()).Line(); got != string(push.OutageDown) {
		t.Errorf("the outage is %q, want %q", got, push.OutageDown)
	}
}

// stop stops the child, as Ctrl-Z does, and returns when it has.
func stop(t *testing.T, c *childtest.Child) {
	t.Helper()
	var status syscall.WaitStatus
	err := c.Cmd.Process.Signal(syscall.SIGSTOP)
	if err == nil {
		_, err = syscall.Wait4(c.Cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	}
	if err != nil || !status.Stopped() {
		t.Fatalf("the child did not stop: %v, status %x", err, status)
	}
}

// A process that was stopped in the middle of a write holds up all others: they
// say who it is, and go on when it does.
func TestStoppedProcessIsNamed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who has a lock")
	}
	dir := t.TempDir()
	d := openTestDB(t, filepath.Join(dir, "a.db"), countSchema())
	usual := d.writer.turn
	impatient, err := lock.OpenFair(d.path, 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	d.writer.turn = impatient // the writer's goroutine is idle: nobody writes
	other := childtest.Spawn(t, "hold", dir)
	if got := other.Line(); got != "holding" {
		t.Fatalf("the child says %q", got)
	}
	stop(t, other)
	err = d.Write(t.Context(), func(*sql.Tx) error { return nil })
	if push.OutageOf(err) != push.OutageBusy {
		t.Fatalf("%v is the outage %q, want %q", err, push.OutageOf(err), push.OutageBusy)
	}
	for _, want := range []string{
		fmt.Sprintf("process %d (", other.Cmd.Process.Pid), "stopped", fmt.Sprintf("kill -CONT %d", other.Cmd.Process.Pid),
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if err := errors.Join(other.Cmd.Process.Signal(syscall.SIGCONT), other.In.Close()); err != nil {
		t.Fatal(err)
	}
	d.writer.turn = usual
	if err := impatient.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Write(t.Context(), func(*sql.Tx) error { return nil }); err != nil {
		t.Errorf("it goes on, and still: %v", err)
	}
}
