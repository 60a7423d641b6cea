package heal

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/test/programs"
)

// embedded is a house on a data directory of its own.
func embedded(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, sim: commands.Simulator(t, 20*time.Millisecond)}
	h.move(t.TempDir())
	return h
}

// move goes on with another data directory.
func (h *house) move(dir string) { h.data, h.backend = dir, []string{"BELFRY_DATA=" + dir} }

func notFound(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Status == http.StatusNotFound
}

// upload makes a batch and does not start it.
func (h *house) upload(token func(line int) string) string {
	h.t.Helper()
	b, err := h.api.CreateBatch(h.t.Context(), client.Request{Message: json.RawMessage(`{"notification":{"title":"heal"}}`), Priority: "bulk"})
	if err != nil {
		h.t.Fatal(err)
	}
	var lines strings.Builder
	for i := range recipients {
		fmt.Fprintf(&lines, "{\"token\":%q}\n", token(i+1))
	}
	if _, err := h.api.UploadRecipients(h.t.Context(), b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		h.t.Fatal(err)
	}
	return b.ID
}

// start starts an uploaded batch.
func (h *house) start(id string) {
	h.t.Helper()
	if _, err := h.api.StartBatch(h.t.Context(), id); err != nil {
		h.t.Fatal(err)
	}
}

// TestRestoredInMidBatch: a backup is taken while a batch is being sent, and used
// after more was sent. Everybody ends with one outcome; who is sent to twice was
// open in the backup, and is flagged; nothing of after the backup is invented.
func TestRestoredInMidBatch(t *testing.T) {
	t.Parallel()
	h := embedded(t)
	h.accept()
	dispatcher := h.dispatch("fanout,deliver", "BELFRY_FCM_PER_SECOND=300")
	other := func(line int) string { return fmt.Sprintf("other-%06d", line) }
	waits := h.upload(other)
	id := h.batch(client.Request{}, plain)
	programs.WaitFor(t, "some outcomes", func() bool { return h.sim.Stats(t).Accepted >= recipients/4 })
	known := h.state(id).Counts.Sent
	to := filepath.Join(t.TempDir(), "backup")
	var made sqlite.Copy
	if err := json.Unmarshal(commands.Output(t, "belfry", h.env(), "backup", to, "-o", "json"), &made); err != nil || made.Path != to ||
		len(made.Files) != 3 {
		t.Fatalf("the backup: %+v, %v", made, err)
	}
	late, err := h.api.Send(t.Context(),
		client.Request{To: &client.Target{Tokens: []string{"late"}}, Message: []byte(`{"notification":{"title":"late"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	sent := h.sim.Stats(t).Accepted
	programs.WaitFor(t, "more outcomes", func() bool { return h.sim.Stats(t).Accepted >= sent+recipients/4 })
	dispatcher.Kill()
	h.ingest.Kill()

	h.move(to)
	h.accept("BELFRY_LATE_AFTER=1h") // the janitor knows without waiting
	h.dispatch("fanout,deliver")
	n := h.await(id)
	if n.State != "completed" || n.Counts.Sent != recipients {
		t.Errorf("%s, %+v", n.State, n.Counts)
	}
	h.check(id, plain)
	if s := h.sim.Stats(t); s.Duplicates == 0 || int64(s.Duplicates) > recipients-known {
		t.Errorf("%d were sent to twice, of %d that had no outcome in the backup", s.Duplicates, recipients-known)
	}
	if _, err := h.api.Notification(t.Context(), late.ID); !notFound(err) {
		t.Errorf("what was accepted after the backup: %v", err)
	}
	if s := h.state(waits).State; s != "uploading" {
		t.Errorf("the batch that was uploaded is %s", s)
	}
	h.start(waits)
	if n := h.await(waits); n.State != "completed" || n.Counts.Sent != recipients {
		t.Errorf("the batch that waited: %s, %+v", n.State, n.Counts)
	}
	h.check(waits, other)
}

// TestLostQueueFile: 2,000 recipients are planned, then the queue's file is gone.
// Every program refuses; what is given up is sent anew, to each once.
func TestLostQueueFile(t *testing.T) {
	t.Parallel()
	h := embedded(t)
	h.accept()
	planner := h.dispatch("fanout")
	id := h.batch(client.Request{}, plain)
	h.planned(id)
	planner.Kill()
	h.ingest.Kill()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(h.data, "queue.db"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	h.refuse("queue.db is missing")
	commands.Output(t, "belfry", h.env(), "repair", "--lost", "queue.db")
	h.accept("BELFRY_LATE_AFTER=1h")
	h.dispatch("fanout,deliver", visible)
	if n := h.await(id); n.State != "completed" || n.Counts.Sent != recipients {
		t.Errorf("%s, %+v", n.State, n.Counts)
	}
	h.check(id, plain)
	if s := h.sim.Stats(t); s.Duplicates != 0 {
		t.Errorf("%d recipients were sent to twice", s.Duplicates)
	}
}

// TestLostLog: a process is killed in mid-batch and the ledger's log is removed.
// Nothing starts; what is given up is flagged.
func TestLostLog(t *testing.T) {
	t.Parallel()
	h := embedded(t)
	h.accept()
	p := h.dispatch("fanout,deliver", "BELFRY_FCM_PER_SECOND=400")
	id := h.batch(client.Request{}, plain)
	programs.WaitFor(t, "some outcomes", func() bool { return h.sim.Stats(t).Accepted >= recipients/4 })
	p.Kill()
	h.ingest.Kill()
	h.accept() // no alarm after kills
	h.ingest.Kill()
	whole := filepath.Join(t.TempDir(), "store.db-wal")
	if err := os.Rename(filepath.Join(h.data, "store.db-wal"), whole); err != nil {
		t.Fatal(err)
	}
	h.refuse("store.db-wal", "missing")
	if err := os.Rename(whole, filepath.Join(h.data, "store.db-wal")); err != nil { // found again
		t.Fatal(err)
	}
	h.accept()
	h.dispatch("fanout,deliver")
	if n := h.await(id); n.State != "completed" || n.Counts.Sent != recipients {
		t.Errorf("%s, %+v", n.State, n.Counts)
	}
	h.check(id, plain)
}

// refuse expects every program to refuse the data directory, and doctor to say why.
func (h *house) refuse(words ...string) {
	h.t.Helper()
	for _, line := range []string{
		"ingest --listen 127.0.0.1:0", "dispatcher --metrics-listen 127.0.0.1:0", "dlq-replayer list", "dlq-replayer drain",
		"belfry up --sandbox --listen 127.0.0.1:0 --sim-listen 127.0.0.1:0", "belfry backup " + filepath.Join(h.t.TempDir(), "never"),
		"belfry doctor --fcm-endpoint " + h.sim.Endpoint,
	} {
		program, args, _ := strings.Cut(line, " ")
		cmd := commands.Command(h.t, program, h.env("BELFRY_FCM_ENDPOINT="+h.sim.Endpoint), strings.Fields(args)...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			h.t.Errorf("%s: no error\n%s", line, out)
		}
		for _, w := range append(words, "docs/backup.md", "belfry repair") {
			if !strings.Contains(string(out), w) {
				h.t.Errorf("%s does not say %q:\n%s", line, w, out)
			}
		}
	}
}
