//go:build unix

package crash

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// TestStoppedDispatcher stops a dispatcher in the middle of a batch (SIGSTOP, as a
// machine does that is swapped out), lets another one finish the batch, and lets
// the first one go on: it sends nothing more.
func TestStoppedDispatcher(t *testing.T) {
	t.Parallel()
	sim := commands.Simulator(t, 50*time.Millisecond)
	store := []string{"BELFRY_DATA=" + t.TempDir(), "BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"}
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
	zombie.Signal(t, syscall.SIGSTOP)
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
	t.Logf("%d repeats while it was stopped, %d requests after; flagged: %d", before.Duplicates, after.Requests-before.Requests, final.Counts.PossibleDuplicates)
	// What was being written when it was stopped is sent when it goes on.
	if late := after.Requests - before.Requests; late > 20 {
		t.Errorf("it sent %d requests after the batch was completed", late)
	}
}
