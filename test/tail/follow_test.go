package tail

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

var (
	commands programs.Programs
	servers  standins.Servers
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m.Run, servers.Stop)) }

// house is a backend, and the settings of the processes on it.
type house struct {
	*testing.T

	env []string
	sim programs.Simulator
}

// server starts an ingest.
func (h *house) server() (*programs.Process, *client.Client) {
	h.Helper()
	p, rest := commands.Start(h.T, `"listen":"`, "ingest", h.env, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	api, err := client.New("http://"+listen, "")
	if err != nil {
		h.Fatal(err)
	}
	return p, api
}

// follower keeps what it was told.
type follower struct {
	mu   sync.Mutex
	all  []client.TailEvent
	stop func()
}

// follow follows at a server until the test ends, or stop is called.
func (h *house) follow(api *client.Client, after string) *follower {
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.Context()))
	f := &follower{}
	ended := make(chan struct{})
	f.stop = sync.OnceFunc(func() { cancel(); <-ended })
	h.Cleanup(f.stop)
	go func() {
		defer close(ended)
		for e, err := range api.Tail(ctx, client.TailFilter{After: after}) {
			if err != nil {
				return
			}
			f.mu.Lock()
			f.all = append(f.all, e)
			f.mu.Unlock()
		}
	}()
	return f
}

// told are the events of a kind about a subject, as what their data says, with the gaps.
func (f *follower) told(kind client.TailKind, subject, field string) (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.all {
		if e.Kind != kind || e.Event == nil || subject != "" && e.Event.Subject != subject {
			continue
		}
		var data map[string]any
		_ = json.Unmarshal(e.Event.Data, &data)
		all = append(all, fmt.Sprint(data[field]))
	}
	return all
}

func (f *follower) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) == 0 {
		return ""
	}
	return f.all[len(f.all)-1].Position
}

// expect waits until so many events came, and holds that they are those.
func (h *house) expect(f *follower, kind client.TailKind, subject, field string, want ...string) {
	h.Helper()
	programs.WaitFor(h.T, fmt.Sprintf("%d events %s of %q", len(want), kind, subject), func() bool {
		return len(f.told(kind, subject, field)) >= len(want)
	})
	if got := f.told(kind, subject, field); !slices.Equal(got, want) {
		h.Errorf("%s of %q: %q, want %q", kind, subject, got, want)
	}
}

// send sends to one token.
func (h *house) send(api *client.Client, token string) string {
	h.Helper()
	n, err := api.Send(h.Context(), client.Request{
		To: &client.Target{Tokens: []string{token}}, Message: json.RawMessage(`{"notification":{"title":"hi"}}`),
		Labels: map[string]string{"team": "ads"},
	})
	if err != nil {
		h.Fatal(err)
	}
	return n.ID
}

func TestOverProcesses(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		run(t, []string{"BELFRY_DATA=" + t.TempDir()})
	})
	t.Run("aws", func(t *testing.T) {
		t.Parallel()
		env := append(servers.Start(t).Env(), "BELFRY_BACKEND=aws", fmt.Sprintf("BELFRY_AWS_PREFIX=tail-%x", time.Now().UnixNano()&0xffffff))
		commands.Output(t, "belfry", env, "provision")
		run(t, env)
	})
}

func run(t *testing.T, backend []string) {
	t.Helper()
	h := &house{T: t, sim: commands.Simulator(t, 5*time.Millisecond)}
	h.env = append(slices.Clone(backend), "BELFRY_LOG_FORMAT=json")
	_, doing := h.server()
	watched, watching := h.server()
	commands.Start(t, `"metrics":"`, "dispatcher", append(slices.Clone(h.env), "BELFRY_FCM_ENDPOINT="+h.sim.Endpoint, "BELFRY_MAX_ATTEMPTS=1"),
		"--metrics-listen", "127.0.0.1:0")
	f := h.follow(watching, "")
	programs.WaitForMoment(t, time.Second, "every process to know that somebody follows", func() bool {
		h.send(doing, "warm")
		return len(f.told(client.TailAccepted, "", "id")) > 0 && len(f.told(client.TailCompleted, "", "id")) > 0
	})

	// A notification, whose device is gone.
	id := h.send(doing, "sim-unregistered-1")
	h.expect(f, client.TailAccepted, id, "tenant", "default")
	h.expect(f, client.TailOutcome, id, "chunk", "0")
	h.expect(f, client.TailCompleted, id, "recipients", "1")
	programs.WaitFor(t, "the device in quarantine", func() bool { return len(f.told(client.TailQuarantined, "", "code")) == 1 })

	// A batch, from its upload to its end.
	ctx := t.Context()
	must := func(_ client.Notification, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := doing.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"hi"}}`)})
	must(b, err)
	_, err = doing.UploadRecipients(ctx, b.ID, strings.NewReader("{\"token\":\"a\"}\n{\"token\":\"b\"}\n"), client.UploadOptions{Offset: 1})
	must(b, err)
	must(doing.StartBatchEarly(ctx, b.ID))
	must(doing.PauseBatch(ctx, b.ID))
	must(doing.ResumeBatch(ctx, b.ID))
	must(doing.StartBatch(ctx, b.ID))
	h.expect(f, client.TailChanged, b.ID, "change", "uploaded", "started", "paused", "resumed", "finished")
	h.expect(f, client.TailCompleted, b.ID, "recipients", "2")
	empty, err := doing.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"hi"}}`)})
	must(empty, err)
	must(doing.CancelBatch(ctx, empty.ID))
	h.expect(f, client.TailChanged, empty.ID, "change", "cancelled")
	h.expect(f, client.TailCompleted, empty.ID, "recipients", "0")

	// A dead letter, and its replay by a command on the data.
	dead := h.send(doing, "sim-unavailable-1-x")
	h.expect(f, client.TailCompleted, dead, "recipients", "1")
	commands.Output(t, "dlq-replayer", h.env, "drain")
	commands.Output(t, "dlq-replayer", h.env, "replay", "run", "--all", "--yes", "-o", "json")
	h.expect(f, client.TailReplay, "", "state", "running", "completed")
	audited := func(action string) (n int) {
		for _, a := range f.told(client.TailAudit, "", "action") {
			if a == action {
				n++
			}
		}
		return n
	}
	programs.WaitFor(t, "the command's entry in the audit log", func() bool { return audited("startReplay") > 0 })
	if audited("startReplay") != 1 || audited("createBatch") != 2 || audited("cancelBatch") != 1 {
		t.Errorf("audited: %q", f.told(client.TailAudit, "", "action"))
	}

	// A breaker opens in the dispatcher.
	h.outage()
	programs.WaitForMoment(t, 200*time.Millisecond, "the breaker", func() bool {
		h.send(doing, fmt.Sprint("sick-", time.Now().UnixNano()))
		return slices.Contains(f.told(client.TailBreaker, "", "to"), "open")
	})

	// The server that is followed dies: at another one it goes on, behind the last.
	from := f.last()
	watched.Kill()
	f.stop()
	after := h.send(doing, "after")
	f = h.follow(doing, from)
	h.expect(f, client.TailAccepted, after, "tenant", "default")
	if again := f.told(client.TailAccepted, id, "tenant"); len(again) > 0 {
		t.Errorf("what was told before is told again")
	}
}

// outage has FCM fail from now on.
func (h *house) outage() {
	h.Helper()
	url := strings.TrimSuffix(h.sim.Endpoint, "/v1") + "/_sim/outage"
	req, err := http.NewRequestWithContext(h.Context(), http.MethodPost, url, strings.NewReader(`{"status":503,"seconds":3600}`))
	if err != nil {
		h.Fatal(err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		h.Fatal(res.Status)
	}
}
