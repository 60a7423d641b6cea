package pauses

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

// commands are our programs; servers are the stand-ins for AWS.
var (
	commands programs.Programs
	servers  standins.Servers
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m.Run, servers.Stop)) }

// look is how often a test looks how it stands.
const look = 200 * time.Millisecond

// root is the operator's key.
const root = "the-operators-key"

// house is a backend with an ingest, a dispatcher, a simulator of FCM, and the tenants acme and zoo.
type house struct {
	t          *testing.T
	env        []string // of every program
	sim        programs.Simulator
	ingest     *programs.Process
	dispatcher *programs.Process
	probes     string // where the dispatcher answers
	url        string
	keys       map[string]string // by tenant
}

// onBoth runs a test on the embedded backend and on the stand-ins for AWS.
func onBoth(t *testing.T, run func(h *house)) {
	t.Helper()
	start := func(t *testing.T, backend []string) {
		t.Helper()
		h := &house{t: t, sim: commands.Simulator(t, 5*time.Millisecond), keys: map[string]string{}}
		// A visibility timeout that no busy machine outlasts: what nobody is late with, nobody sends twice.
		h.env = slices.Concat(backend, []string{
			"BELFRY_VISIBILITY=10s", "BELFRY_LATE_AFTER=10s", "BELFRY_LOG_FORMAT=json", "BELFRY_API_KEY=" + root,
			"BELFRY_FCM_ENDPOINT=" + h.sim.Endpoint, "BELFRY_FCM_PER_SECOND=120", // so that a chunk takes seconds
		})
		h.accept()
		for _, tenant := range []string{"acme", "zoo"} {
			if _, err := h.client("").CreateTenant(t.Context(), client.TenantRequest{Name: tenant}); err != nil {
				t.Fatal(err)
			}
			key, err := h.client("").CreateAPIKey(t.Context(), client.APIKeyRequest{Role: "owner"}, client.OfTenant(tenant))
			if err != nil {
				t.Fatal(err)
			}
			h.keys[tenant] = key.Key
		}
		h.dispatch()
		run(h)
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		start(t, []string{"BELFRY_DATA=" + t.TempDir()})
	})
	t.Run("aws", func(t *testing.T) {
		t.Parallel()
		prefix := fmt.Sprintf("BELFRY_AWS_PREFIX=paused-%x", time.Now().UnixNano()&0xffffff)
		env := append(servers.Start(t).Env(), "BELFRY_BACKEND=aws", prefix)
		commands.Output(t, "belfry", env, "provision")
		start(t, env)
	})
}

// accept starts an ingest.
func (h *house) accept() {
	h.t.Helper()
	p, rest := commands.Start(h.t, `"listen":"`, "ingest", h.env, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	h.ingest, h.url = p, "http://"+listen
}

// dispatch starts a dispatcher.
func (h *house) dispatch() {
	h.t.Helper()
	p, rest := commands.Start(h.t, `"metrics":"`, "dispatcher", h.env, "--metrics-listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	h.dispatcher, h.probes = p, "http://"+listen
}

// client speaks for a tenant, "" is the operator.
func (h *house) client(tenant string) *client.Client {
	h.t.Helper()
	key := root
	if tenant != "" {
		key = h.keys[tenant]
	}
	c, err := client.New(h.url, key)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// belfry runs a command of the operator's against the server, and returns what it printed and its exit code.
func (h *house) belfry(args ...string) (said string, code int) {
	h.t.Helper()
	cmd := commands.Command(h.t, "belfry", []string{"BELFRY_API=" + h.url, "BELFRY_API_KEY=" + root, "NO_COLOR=1"}, args...)
	out, err := cmd.CombinedOutput()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), ended.ExitCode()
	} else if err != nil {
		h.t.Fatal(err)
	}
	return string(out), 0
}

// must is belfry, and ends the test if the command fails.
func (h *house) must(args ...string) string {
	h.t.Helper()
	out, code := h.belfry(args...)
	if code != 0 {
		h.t.Fatalf("belfry %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// work is a notification or a batch.
type work struct {
	name       string // unique: its tokens begin with it
	tenant     string
	campaign   string // of the label
	recipients int
	high       bool

	id string
}

func (w *work) token(i int) string { return fmt.Sprintf("%s-%05d", w.name, i) }

// send has work accepted.
func (h *house) send(w *work) *work {
	h.t.Helper()
	ctx, api := h.t.Context(), h.client(w.tenant)
	req := client.Request{Message: json.RawMessage(`{"notification":{"title":"Hi"}}`), Labels: map[string]string{"campaign": w.campaign}}
	if w.high {
		to := client.Target{}
		for i := range w.recipients {
			to.Tokens = append(to.Tokens, w.token(i))
		}
		req.To, req.Priority = &to, "high"
		n, err := api.Send(ctx, req)
		if err != nil {
			h.t.Fatal(err)
		}
		w.id = n.ID
		return w
	}
	req.Priority = "bulk"
	b, err := api.CreateBatch(ctx, req)
	if err != nil {
		h.t.Fatal(err)
	}
	var lines strings.Builder
	for i := range w.recipients {
		fmt.Fprintf(&lines, "{\"token\":%q}\n", w.token(i))
	}
	if _, err := api.UploadRecipients(ctx, b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		h.t.Fatal(err)
	}
	if _, err := api.StartBatch(ctx, b.ID); err != nil {
		h.t.Fatal(err)
	}
	w.id = b.ID
	return w
}

// got is how many messages FCM has taken for each of some work, by its name.
func (h *house) got(some ...*work) map[string]int {
	h.t.Helper()
	got, all := map[string]int{}, h.sim.Accepted(h.t)
	for _, w := range some {
		got[w.name] = 0
		for i := range w.recipients {
			got[w.name] += all[w.token(i)]
		}
	}
	return got
}

// done waits until work has ended, and holds that each of its recipients got the message once.
func (h *house) done(some ...*work) {
	h.t.Helper()
	for _, w := range some {
		api := h.client(w.tenant)
		var n client.Notification
		programs.WaitForMoment(h.t, look, "the end of "+w.name, func() bool {
			var err error
			n, err = api.Notification(h.t.Context(), w.id)
			return err == nil && n.Done()
		})
		if n.Counts.Sent != int64(w.recipients) {
			h.t.Errorf("%s: %s, %+v", w.name, n.State, n.Counts)
		}
	}
	all := h.sim.Accepted(h.t)
	for _, w := range some {
		for i := range w.recipients {
			if times := all[w.token(i)]; times != 1 {
				h.t.Errorf("%s: recipient %d got it %d times", w.name, i, times)
			}
		}
	}
}
