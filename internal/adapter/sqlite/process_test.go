package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// These tests run the test binary once more, as another process on the same
// data directory.

var (
	childRole = flag.String("sqlite.child", "", "role of a child process of the tests")
	childDir  = flag.String("sqlite.dir", "", "its data directory")
)

// child is another process on the same directory.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// spawn starts a child that plays one role of TestChild and is gone by the end
// of the test.
func spawn(t *testing.T, role, dir string, change ...func(*exec.Cmd)) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-sqlite.child="+role, "-sqlite.dir="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(cmd)
	}
	if err := cmd.Start(); err != nil {
		if len(change) > 0 {
			t.Skipf("this system does not let a test have a disk of its own: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &child{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
}

// line is the next line that the child prints.
func (c *child) line() string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("the child ended early: %v", c.out.Err())
	}
	return c.out.Text()
}

// TestChild is what the other process runs.
func TestChild(t *testing.T) { //nolint:paralleltest // alone in its process
	if *childRole == "" {
		t.Skip("only as a child process")
	}
	say := func(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }
	ctx := t.Context()
	switch *childRole {
	case "send": // numbers, until killed; prints what is acknowledged
		q := openQueue(t, openBackend(t, *childDir), "work", QueueConfig{})
		var wg sync.WaitGroup
		for s := range 4 {
			wg.Go(func() {
				for n := 0; ; n++ {
					name := fmt.Sprintf("%d/%d", s, n)
					if err := q.Send(ctx, []worker.Outgoing{{Body: []byte(name)}}); err != nil {
						t.Error(err)
						return
					}
					say("%s", name)
				}
			})
		}
		wg.Wait()
	case "receive": // one message
		q := openQueue(t, openBackend(t, *childDir), "work", QueueConfig{})
		say("ready")
		msgs, err := q.Receive(ctx, 1, worker.MaxWait)
		if err != nil || len(msgs) != 1 {
			t.Fatalf("received %d messages, %v", len(msgs), err)
		}
		say("%s", msgs[0].Body)
	case "write": // without a pause, until its input ends
		d := openTestDB(t, filepath.Join(*childDir, "a.db"), countSchema())
		stop := make(chan struct{})
		go func() {
			io.Copy(io.Discard, os.Stdin)
			close(stop)
		}()
		say("ready")
		writeUntil(t, d, "child", stop)
	case "hold": // the write lock, until its input ends
		d := openTestDB(t, filepath.Join(*childDir, "a.db"), countSchema())
		if err := d.write(ctx, func(*sql.Tx) error {
			say("holding")
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		}); err != nil {
			t.Error(err)
		}
	case "small": // on a disk of a few megabytes
		ownDisk(t, *childDir)
		d := openTestDB(t, filepath.Join(*childDir, "a.db"), itemSchema())
		say("new: %q", push.OutageOf(d.pulse(ctx)))
		err := fill(ctx, d)
		say("write: %q", push.OutageOf(err))
		err = d.pulse(ctx)
		say("pulse: %q", push.OutageOf(err))
	case "limited": // may write no file beyond what is there now
		d := openTestDB(t, filepath.Join(*childDir, "a.db"), itemSchema())
		signal.Ignore(syscall.SIGXFSZ)
		const bytes = 64 << 10
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
			t.Fatal(err)
		}
		err := d.write(ctx, func(tx *sql.Tx) error { return insert(ctx, tx, strings.Repeat("x", 4*bytes)) })
		say("%s", push.OutageOf(err))
	default:
		t.Fatalf("unknown role %q", *childRole)
	}
}

// Every message whose send was acknowledged is there after a kill -9, once, and
// whole.
func TestAcknowledgedMessagesSurviveKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := spawn(t, "send", dir)
	acknowledged := map[string]bool{}
	for range 200 {
		acknowledged[c.line()] = true
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for c.out.Scan() { // what it still said
		if s := c.out.Text(); strings.Contains(s, "/") {
			acknowledged[s] = true
		}
	}
	q := openQueue(t, openBackend(t, dir), "work", QueueConfig{})
	got := map[string]int{}
	for {
		msgs, err := q.Receive(t.Context(), worker.MaxBatch, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(msgs) == 0 {
			break
		}
		for _, m := range msgs {
			got[string(m.Body)]++
		}
	}
	for name := range acknowledged {
		if got[name] != 1 {
			t.Errorf("acknowledged message %s was found %d times", name, got[name])
		}
	}
	// A send that was committed but not yet acknowledged may be there too: at
	// most one of each sender.
	if extra := len(got) - len(acknowledged); extra < 0 || extra > 4 {
		t.Errorf("%d messages more than acknowledged, want 0..4", extra)
	}
}

// A long poll in one process gets what another one sends.
func TestReceiveWakesAcrossProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := openQueue(t, openBackend(t, dir), "work", QueueConfig{})
	c := spawn(t, "receive", dir)
	if got := c.line(); got != "ready" {
		t.Fatalf("child: %q", got)
	}
	if err := q.Send(t.Context(), []worker.Outgoing{{Body: []byte("hello")}}); err != nil {
		t.Fatal(err)
	}
	if got := c.line(); got != "hello" {
		t.Errorf("the child received %q, want hello", got)
	}
}

func countSchema() []migration {
	return []migration{{1, `CREATE TABLE tally (who TEXT PRIMARY KEY, n INTEGER NOT NULL)`}}
}

// busyWriters are enough callers that the next transaction always waits.
const busyWriters = 64

// writeUntil keeps the writer busy with as many transactions as it can make.
func writeUntil(t *testing.T, d *db, who string, stop <-chan struct{}) {
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

func tally(ctx context.Context, d *db, who string) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tally (who, n) VALUES (?, 1) ON CONFLICT (who) DO UPDATE SET n = n + 1`, who)
		return err
	})
}

// A process that always has something to write does not keep another one from
// its turn: between two writes of ours it gets only a few in.
func TestWritersTakeTurnsAcrossProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := openDB(t.Context(), filepath.Join(dir, "a.db"), countSchema(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	c := spawn(t, "write", dir)
	if got := c.line(); got != "ready" {
		t.Fatalf("child: %q", got)
	}
	theirs := func() (n int) {
		if err := d.read().QueryRowContext(t.Context(), `SELECT coalesce(max(n), 0) FROM tally WHERE who = 'child'`).Scan(&n); err != nil {
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
	if err := c.in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
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
