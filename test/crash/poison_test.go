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

// TestPoisonousRecipient kills the dispatcher whenever the simulator sees one of
// 500 recipients, as a recipient would do whose message makes it run out of
// memory. The dispatcher finds out which one it is.
func TestPoisonousRecipient(t *testing.T) {
	t.Parallel()
	const n, culprit = 500, 317
	// Two deaths may be deploys; each of the next halves at most 500 suspects, and
	// three are trials of the last one.
	const deathsNeeded = 2 + 8 + 3
	tokenOf := func(line int) string {
		if line == culprit {
			return "sim-hang-999-" + token(line)
		}
		return token(line)
	}
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "{\"token\":%q}\n", tokenOf(i+1))
	}

	sim := commands.Simulator(t, 20*time.Millisecond)
	store := []string{"BELFRY_DATA=" + t.TempDir(), "BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"}
	_, rest := commands.Start(t, `"listen":"`, "ingest", store, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	api, err := client.New("http://"+listen, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	batch, err := api.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"poison"}}`), Priority: "bulk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.UploadRecipients(ctx, batch.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.StartBatch(ctx, batch.ID); err != nil {
		t.Fatal(err)
	}

	dispatch := func() *programs.Process {
		p, _ := commands.Start(t, `"metrics":"`, "dispatcher", slices.Concat(store, []string{"BELFRY_FCM_ENDPOINT=" + sim.Endpoint}),
			"--metrics-listen", "127.0.0.1:0")
		return p
	}
	deaths, p := 0, dispatch()
	begun := time.Now()
	var final client.Notification
	programs.WaitFor(t, "the batch to end", func() bool {
		if sim.Stats(t).ByCode["HANG"] > deaths {
			p.Kill()
			deaths++
			p = dispatch()
			return false
		}
		if final, err = api.Notification(t.Context(), batch.ID); err != nil {
			t.Fatal(err)
		}
		return final.State == "completed"
	})
	t.Logf("%d deaths in %v; %d flagged", deaths, time.Since(begun).Round(time.Second), final.Counts.PossibleDuplicates)

	if c := final.Counts; c.Accepted != n || c.Sent != n-1 || c.DeadLettered != 1 || c.ByCode["poison"] != 1 {
		t.Errorf("counts: %+v", c)
	}
	if deaths < 3 || deaths > deathsNeeded {
		t.Errorf("%d deaths, want at most %d", deaths, deathsNeeded)
	}
	times := sim.Accepted(t)
	for d, err := range api.Report(ctx, batch.ID, client.DeliveryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		line := int(d.Line)
		switch got := times[tokenOf(line)]; {
		case (d.Code == client.CodePoison) != (line == culprit):
			t.Errorf("line %d is %s", line, d.Code)
		case line != culprit && got == 0:
			t.Errorf("line %d is %s, but the simulator never accepted it", line, d.Code)
		case (got > 1 || line == culprit) && !d.PossibleDuplicate:
			t.Errorf("line %d was accepted %d times and is not flagged", line, got)
		}
	}
	trace, err := api.Trace(ctx, batch.ID, client.LineKey(culprit))
	if err != nil || len(trace.Deliveries) != 1 {
		t.Fatalf("%+v, %v", trace, err)
	}
	if story := fmt.Sprint(trace.Deliveries[0].Steps); !strings.Contains(story,
		"3 of them while it sent to this recipient and had nothing else in hand") ||
		!strings.Contains(story, "may have been delivered") {
		t.Errorf("what is told of it: %s", story)
	}
}
