package crash

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

const (
	recipients = 10_000
	// chunks are in hand at once, with inFlight requests of each under way: so few
	// that what a kill may repeat is far less than what is sent between two.
	chunks, inFlight = 4, 25
	// window is what a killed dispatcher may have sent without a checkpoint: per
	// chunk the requests under way and the 50 results of a checkpoint.
	window = (inFlight + 50) * chunks
)

// TestKilledDispatcher kills the dispatcher again and again in the middle of a
// batch on the embedded backend.
func TestKilledDispatcher(t *testing.T) {
	t.Parallel()
	const kills = 6
	killDispatchers(t, []string{"BELFRY_DATA=" + t.TempDir()}, kills)
}

// TestKilledDispatcherOnAWS does the same on the stand-ins for AWS.
func TestKilledDispatcherOnAWS(t *testing.T) {
	t.Parallel()
	env := append(servers.Start(t).Env(), "BELFRY_BACKEND=aws", "BELFRY_AWS_PREFIX=crash")
	commands.Output(t, "belfry", env, "provision")
	// The stand-in's queue shows what a killed process held only to the next long
	// poll, 20 s later.
	const kills = 3
	killDispatchers(t, env, kills)
}

// killDispatchers runs a batch on a backend and kills its dispatchers.
func killDispatchers(t *testing.T, backend []string, kills int) {
	t.Helper()
	if between := recipients / (kills + 2); window*2 > between {
		t.Fatalf("%d sends lie between two kills: a bound of %d repeats would hold nothing", between, window)
	}
	sim := commands.Simulator(t, 50*time.Millisecond)
	store := slices.Concat(backend, []string{"BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"})
	_, rest := commands.Start(t, `"listen":"`, "ingest", store, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	dispatch := func() *programs.Process {
		env := slices.Concat(store, []string{
			"BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_FCM_PER_SECOND=1500",
			fmt.Sprintf("BELFRY_BULK_CHUNKS=%d", chunks), fmt.Sprintf("BELFRY_BULK_WINDOW=%d", inFlight),
		})
		p, _ := commands.Start(t, `"metrics":"`, "dispatcher", env, "--metrics-listen", "127.0.0.1:0")
		return p
	}

	api, err := client.New("http://"+listen, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	batch, err := api.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"crash"}}`), Priority: "bulk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.UploadRecipients(ctx, batch.ID, strings.NewReader(lines()), client.UploadOptions{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.StartBatch(ctx, batch.ID); err != nil {
		t.Fatal(err)
	}

	var repeated []int // duplicates at the simulator before each kill
	for n := range kills {
		p := dispatch()
		programs.WaitFor(t, "sends", func() bool { return sim.Stats(t).Requests >= uint64((n+1)*recipients/(kills+2)) })
		p.Kill()
		repeated = append(repeated, int(sim.Stats(t).Duplicates))
	}
	dispatch()
	final, err := api.Await(ctx, batch.ID, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	check(t, api, final, sim)
	repeated = append(repeated, int(sim.Stats(t).Duplicates))
	// What a kill leaves comes back after its visibility, maybe after the next kill:
	// the sum is bounded at every moment, not each step of it.
	for i, sum := range repeated {
		if sum > i*window {
			t.Errorf("after %d kills the simulator saw %d repeats, more than a window (%d) for each", i, sum, window)
		}
	}
	total, flagged := repeated[len(repeated)-1], int(final.Counts.PossibleDuplicates)
	t.Logf("%d kills, repeats seen by the simulator so far: %v; flagged: %d", kills, repeated, flagged)
	if flagged > 2*total+window { // what was just claimed is flagged and was not sent
		t.Errorf("%d flags for %d repeats", flagged, total)
	}
}

// check holds the batch's report against what the simulator accepted.
func check(t *testing.T, api *client.Client, final client.Notification, sim programs.Simulator) {
	t.Helper()
	if c := final.Counts; c == nil || c.Accepted != recipients || c.Sent != recipients || c.Open != 0 {
		t.Fatalf("counts: %+v", final.Counts)
	}
	times := sim.Accepted(t)
	seen := make([]bool, recipients+1)
	for d, err := range api.Report(t.Context(), final.ID, client.DeliveryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[d.Line] {
			t.Errorf("line %d is in the report twice", d.Line)
		}
		seen[d.Line] = true
		switch n := times[token(int(d.Line))]; {
		case n == 0:
			t.Errorf("line %d is %s, but the simulator never accepted it", d.Line, d.Code)
		case n > 1 && !d.PossibleDuplicate:
			t.Errorf("line %d was accepted %d times and is not flagged", d.Line, n)
		}
	}
	if i := slices.Index(seen[1:], false); i >= 0 {
		t.Errorf("line %d is missing from the report", i+1)
	}
}

func token(line int) string { return fmt.Sprintf("device-%06d-%0140d", line, line) }

func lines() string {
	var b strings.Builder
	for i := range recipients {
		fmt.Fprintf(&b, "{\"token\":%q}\n", token(i+1))
	}
	return b.String()
}
