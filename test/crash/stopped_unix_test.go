//go:build unix

package crash

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
	"github.com/belfry-push/belfry/test/programs"
)

// TestStoppedDispatcher stops a dispatcher in the middle of a batch (SIGSTOP, as a
// machine does that is swapped out), lets another one finish the batch, and lets
// the first one go on: it sends nothing more.
func TestStoppedDispatcher(t *testing.T) {
	t.Parallel()
	sim := commands.Simulator(t, 50*time.Millisecond)
	dir := t.TempDir()
	store := []string{"BELFRY_DATA=" + dir, "BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"}
	_, rest := commands.Start(t, `"listen":"`, "ingest", store, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	dispatch := func() *programs.Process {
		p, _ := commands.Start(t, `"metrics":"`, "dispatcher",
			slices.Concat(store, []string{"BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_FCM_PER_SECOND=1500"}), "--metrics-listen", "127.0.0.1:0")
		return p
	}
	api, err := client.New("http://"+listen, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	batch, err := api.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"stop"}}`), Priority: "bulk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.UploadRecipients(ctx, batch.ID, strings.NewReader(lines()), client.UploadOptions{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.StartBatch(ctx, batch.ID); err != nil {
		t.Fatal(err)
	}
	zombie := dispatch()
	programs.WaitFor(t, "sends", func() bool { return sim.Stats(t).Requests >= recipients/4 })
	stopBetweenWrites(t, zombie, dir)
	dispatch()
	final, err := api.Await(ctx, batch.ID, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	before := sim.Stats(t)
	zombie.Signal(t, syscall.SIGCONT)
	looks := 0 // for a second after it has noticed, at least
	programs.WaitFor(t, "the stopped one to go on", func() bool {
		if strings.Contains(zombie.Log(), "leaving it") {
			looks++
		}
		return looks > 100
	})
	after := sim.Stats(t)
	check(t, api, final, sim)
	t.Logf("%d repeats while it was stopped, %d requests after; flagged: %d", before.Duplicates, after.Requests-before.Requests,
		final.Counts.PossibleDuplicates)
	// What was being written when it was stopped is sent when it goes on.
	if late := after.Requests - before.Requests; late > 20 {
		t.Errorf("it sent %d requests after the batch was completed", late)
	}
}

// stopBetweenWrites stops a process while it holds no lock of the directory's
// files, as it does during a write: then nobody could write, and another test is
// about that. To be sure, the test itself holds all of them meanwhile.
func stopBetweenWrites(t *testing.T, p *programs.Process, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database in %s (%v)", dir, err)
	}
	stop := func() error { p.Stop(t); return nil }
	for _, file := range files {
		next := stop
		stop = func() error { return locked(t, file, next) }
	}
	if err := stop(); err != nil {
		t.Fatalf("stop between two writes: %v", err)
	}
}

// locked calls f while nobody else writes to the file or is the next in line to.
func locked(t *testing.T, file string, f func() error) error {
	t.Helper()
	turn, err := lock.OpenFair(file, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer turn.Close()
	conn, err := db.OpenExisting(file, "busy_timeout(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetMaxOpenConns(1) // both statements are one connection's
	return turn.Pass(t.Context(), func() error {
		if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		return errors.Join(f(), func() error { _, err := conn.ExecContext(t.Context(), "ROLLBACK"); return err }())
	})
}
