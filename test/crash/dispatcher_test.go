package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
)

const (
	recipients = 10_000
	kills      = 6
	// window is what a killed dispatcher may have sent without a checkpoint, per
	// chunk: 50 requests of the window and 50 results of a checkpoint; it has 20
	// chunks in hand at once.
	window = (50 + 50) * 20
)

// TestKilledDispatcher kills the dispatcher again and again in the middle of a
// batch on the embedded backend.
func TestKilledDispatcher(t *testing.T) {
	t.Parallel()
	killDispatchers(t, []string{"BELFRY_DATA=" + t.TempDir()})
}

// TestKilledDispatcherOnAWS does the same on the stand-ins for AWS.
func TestKilledDispatcherOnAWS(t *testing.T) {
	t.Parallel()
	env := append(servers.Start(t).Env(), "BELFRY_BACKEND=aws", "BELFRY_AWS_PREFIX=crash")
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	provision := exec.CommandContext(t.Context(), filepath.Join(dir, "belfry"), "provision")
	provision.Env = append(os.Environ(), env...) //nolint:forbidigo // a child inherits it
	if out, err := provision.CombinedOutput(); err != nil {
		t.Fatalf("belfry provision: %v\n%s", err, out)
	}
	killDispatchers(t, env)
}

// killDispatchers runs a batch on a backend and kills its dispatchers.
func killDispatchers(t *testing.T, backend []string) {
	t.Helper()
	_, rest := start(t, `"endpoint":"`, "belfry", nil, "sim", "--sim-listen", "127.0.0.1:0", "--sim-latency", "50ms", "--log-format", "json")
	endpoint, _, _ := strings.Cut(rest, `"`)
	store := slices.Concat(backend, []string{"BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"})
	_, rest = start(t, `"listen":"`, "ingest", store, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	dispatch := func() *process {
		p, _ := start(t, `"metrics":"`, "dispatcher", slices.Concat(store, []string{"BELFRY_FCM_ENDPOINT=" + endpoint, "BELFRY_FCM_PER_SECOND=1500"}), "--metrics-listen", "127.0.0.1:0")
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

	sim := strings.TrimSuffix(endpoint, "/v1")
	var repeated []int // duplicates at the simulator before each kill
	for n := range kills {
		p := dispatch()
		waitFor(t, func() bool { return accepted(t, sim).requests >= uint64((n+1)*recipients/(kills+2)) })
		p.kill()
		repeated = append(repeated, int(accepted(t, sim).duplicates))
	}
	dispatch()
	final, err := api.Await(ctx, batch.ID, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	check(t, api, final, sim, recipients)
	repeated = append(repeated, int(accepted(t, sim).duplicates))
	for i := 1; i < len(repeated); i++ {
		if more := repeated[i] - repeated[i-1]; more > window {
			t.Errorf("after kill %d the simulator saw %d repeats, more than one window (%d)", i, more, window)
		}
	}
	t.Logf("%d kills, repeats seen by the simulator so far: %v; flagged: %d", kills, repeated, final.Counts.PossibleDuplicates)
}

// check holds the batch's report against what the simulator accepted.
func check(t *testing.T, api *client.Client, final client.Notification, sim string, lines int) {
	t.Helper()
	if c := final.Counts; c == nil || c.Accepted != int64(lines) || c.Sent != int64(lines) || c.Open != 0 {
		t.Fatalf("counts: %+v", final.Counts)
	}
	times := tokens(t, sim)
	seen := make([]bool, lines+1)
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

type simStats struct{ requests, duplicates uint64 }

func accepted(t *testing.T, sim string) simStats {
	t.Helper()
	var s struct{ Requests, Duplicates uint64 }
	get(t, sim+"/_sim/stats", func(dec *json.Decoder) {
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
	})
	return simStats{s.Requests, s.Duplicates}
}

func tokens(t *testing.T, sim string) map[string]int {
	t.Helper()
	times := map[string]int{}
	get(t, sim+"/_sim/accepted?body=false", func(dec *json.Decoder) {
		for {
			var row struct{ Token string }
			if err := dec.Decode(&row); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			times[row.Token]++
		}
	})
	return times
}

func get(t *testing.T, url string, read func(*json.Decoder)) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read(json.NewDecoder(res.Body))
}

// waitFor looks until the condition holds.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("waited for two minutes")
		}
	}
}
