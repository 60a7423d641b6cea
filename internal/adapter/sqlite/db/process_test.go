package db

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
	"github.com/belfry-push/belfry/internal/push"
)

// TestChild is what the other process runs.
func TestChild(t *testing.T) { //nolint:paralleltest // alone in its process
	role, dir := childtest.Role(t)
	say := func(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }
	ctx := t.Context()
	switch role {
	case "write": // without a pause, until its input ends
		d := openTestDB(t, filepath.Join(dir, "a.db"), countSchema())
		stop := make(chan struct{})
		go func() {
			io.Copy(io.Discard, os.Stdin)
			close(stop)
		}()
		say("ready")
		writeUntil(t, d, "child", stop)
	case "hold": // the write lock, until its input ends
		d := openTestDB(t, filepath.Join(dir, "a.db"), countSchema())
		if err := d.Write(ctx, func(*sql.Tx) error {
			say("holding")
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		}); err != nil {
			t.Error(err)
		}
	case "small": // on a disk of a few megabytes
		ownDisk(t, dir)
		d := openTestDB(t, filepath.Join(dir, "a.db"), itemSchema())
		say("new: %q", push.OutageOf(d.Pulse(ctx)))
		err := fill(ctx, d)
		say("write: %q", push.OutageOf(err))
		err = d.Pulse(ctx)
		say("pulse: %q", push.OutageOf(err))
	case "limited": // may write no file beyond what is there now
		d := openTestDB(t, filepath.Join(dir, "a.db"), itemSchema())
		signal.Ignore(syscall.SIGXFSZ)
		const bytes = 64 << 10
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
			t.Fatal(err)
		}
		err := d.Write(ctx, func(tx *sql.Tx) error { return insert(ctx, tx, strings.Repeat("x", 4*bytes)) })
		say("%s", push.OutageOf(err))
	default:
		t.Fatalf("unknown role %q", role)
	}
}

func countSchema() []Migration {
	return []Migration{{1, `CREATE TABLE tally (who TEXT PRIMARY KEY, n INTEGER NOT NULL)`}}
}

// busyWriters are enough callers that the next transaction always waits.
const busyWriters = 64

// writeUntil keeps the writer busy with as many transactions as it can make.
func writeUntil(t *testing.T, d *DB, who string, stop <-chan struct{}) {
	t.Helper()
	var wg sync.WaitGroup
	for range busyWriters {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := tally(t.Context(), d, who); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func tally(ctx context.Context, d *DB, who string) error {
	return d.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tally (who, n) VALUES (?, 1) ON CONFLICT (who) DO UPDATE SET n = n + 1`, who)
		return err
	})
}

// A process that always has something to write does not keep another one from
// its turn: between two writes of ours it gets only a few in.
func TestWritersTakeTurnsAcrossProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := Open(t.Context(), filepath.Join(dir, "a.db"), countSchema(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := childtest.Spawn(t, "write", dir)
	if got := c.Line(); got != "ready" {
		t.Fatalf("child: %q", got)
	}
	theirs := func() (n int) {
		if err := d.Read().QueryRowContext(t.Context(), `SELECT coalesce(max(n), 0) FROM tally WHERE who = 'child'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for theirs() == 0 { // until it is at work
		if err := tally(t.Context(), d, "parent"); err != nil {
			t.Fatal(err)
		}
	}
	const ours = 200
	before := theirs()
	for range ours {
		if err := tally(t.Context(), d, "parent"); err != nil {
			t.Fatal(err)
		}
	}
	between := theirs() - before
	t.Logf("%d of ours, %d of theirs", ours, between)
	if err := c.In.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Cmd.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
	if between == 0 {
		t.Error("the child did not get a turn")
	}
	// Each of its turns is one transaction of all its writers.
	if most := ours * busyWriters * 2; between > most {
		t.Errorf("the child wrote %d times while we wrote %d times, want at most %d", between, ours, most)
	}
}
