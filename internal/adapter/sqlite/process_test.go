package sqlite

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
	"github.com/belfry-push/belfry/internal/worker"
)

// TestChild is what the other process runs.
func TestChild(t *testing.T) { //nolint:paralleltest // alone in its process
	role, dir := childtest.Role(t)
	say := func(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }
	ctx := t.Context()
	switch role {
	case "send": // numbers, until killed; prints what is acknowledged
		q := openQueue(t, openBackend(t, dir), "work", QueueConfig{})
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
		q := openQueue(t, openBackend(t, dir), "work", QueueConfig{})
		say("ready")
		msgs, err := q.Receive(ctx, 1, worker.MaxWait)
		if err != nil || len(msgs) != 1 {
			t.Fatalf("received %d messages, %v", len(msgs), err)
		}
		say("%s", msgs[0].Body)
	case "once", "grow", "long": // writes to all files, and waits to be killed
		b := openBackend(t, dir)
		rounds, size := map[string]int{"once": 1, "grow": 1 << 20, "long": 40}[role], 500_000
		for n := range rounds {
			if err := writeAll(ctx, b, n+1000, size); err != nil {
				t.Fatal(err)
			}
			if role != "long" || n == rounds-1 {
				say("%d", n)
			}
		}
		<-ctx.Done()
	case "opening": // and never done
		release, err := lock.Directory(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		say("opening")
		<-ctx.Done()
	case "reopen": // over and over
		for {
			b, err := Open(ctx, dir, zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			say("opened")
		}
	default:
		t.Fatalf("unknown role %q", role)
	}
}

// Every message whose send was acknowledged is there after a kill -9, once, and
// whole.
func TestAcknowledgedMessagesSurviveKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := childtest.Spawn(t, "send", dir)
	acknowledged := map[string]bool{}
	for range 200 {
		acknowledged[c.Line()] = true
	}
	if err := c.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for c.Out.Scan() { // what it still said
		if s := c.Out.Text(); strings.Contains(s, "/") {
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
	c := childtest.Spawn(t, "receive", dir)
	if got := c.Line(); got != "ready" {
		t.Fatalf("child: %q", got)
	}
	if err := q.Send(t.Context(), []worker.Outgoing{{Body: []byte("hello")}}); err != nil {
		t.Fatal(err)
	}
	if got := c.Line(); got != "hello" {
		t.Errorf("the child received %q, want hello", got)
	}
}
