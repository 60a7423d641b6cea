package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/raced"
)

// What a night writes into documents stands between these, in a block.
const (
	nightBegin = "<!-- night: written by go test ./test/docs -run TestNight -update -->\n"
	nightEnd   = "<!-- end of night -->\n"
)

// TestNight plays a night with belfry up: batches are started, paused and resumed, FCM is away, some recipients are given up,
// their letters are replayed. The log in docs/logs.md is all that is written then at info and above, and the lines in
// docs/tail.md are what belfry tail shows of it, but for times, ids and other figures that differ from run to run. With
// -update both are written anew.
func TestNight(t *testing.T) {
	t.Parallel()
	if raced.On {
		t.Skip("the night is that of a program, which the race detector does not watch")
	}
	n := &nightWatch{T: t, env: []string{
		"BELFRY_DATA=" + filepath.Join(t.TempDir(), "data"), "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0",
		"BELFRY_LOG_FORMAT=json", "BELFRY_MAX_ATTEMPTS=2", "BELFRY_API_KEY=a-key-of-this-test-alone",
	}}
	n.play()

	is, was := n.log.lines(), nightBlock(t, "logs.md")
	if *update {
		writeNight(t, "logs.md", "```json\n"+strings.Join(is, "\n")+"\n```\n")
		writeNight(t, "tail.md", "```console\n$ belfry tail --type changed,completed,breaker,replay\n"+
			strings.Join(n.followed.lines(), "\n")+"\n```\n")
		return
	}
	// A busy machine may have more of these: they are about it, or about requests that are tried again.
	extra := func(line string) bool {
		return strings.Contains(line, `"msg":"readiness check`) || strings.Contains(line, `"msg":"request"`) ||
			strings.Contains(line, `"traffic":"retries"`) || strings.Contains(line, `"msg":"the wall clock was set`) ||
			strings.Contains(line, `"msg":"lines left out`) || strings.Contains(line, `"msg":"audit head"`) ||
			strings.Contains(line, `"msg":"replay is executed by another process now"`)
	}
	sameStory(t, "docs/logs.md", slices.DeleteFunc(masked(is), extra), slices.DeleteFunc(masked(was), extra))
	told := nightBlock(t, "tail.md")
	if len(told) == 0 || told[0] != "$ belfry tail --type changed,completed,breaker,replay" {
		t.Fatalf("docs/tail.md shows %q", told)
	}
	sameStory(t, "docs/tail.md", maskedTail(n.followed.lines()), maskedTail(told[1:]))
}

// nightBlock are the lines of a document's block about the night.
func nightBlock(t *testing.T, name string) []string {
	t.Helper()
	_, text, _ := strings.Cut(document(t, name), nightBegin)
	text, _, ok := strings.Cut(text, nightEnd)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if !ok || len(lines) < 3 && !*update {
		t.Fatalf("docs/%s has no night", name)
	}
	return lines[min(1, len(lines)):max(1, len(lines)-1)]
}

func writeNight(t *testing.T, name, block string) {
	t.Helper()
	before, rest, _ := strings.Cut(document(t, name), nightBegin)
	_, after, _ := strings.Cut(rest, nightEnd)
	text := before + nightBegin + block + nightEnd + after
	if err := os.WriteFile(filepath.Join(root, "docs", name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sameStory holds that two nights have the same lines, and those about one thing in the same order.
func sameStory(t *testing.T, where string, is, was []string) {
	t.Helper()
	for what, want := range inOrder(was) {
		if got := inOrder(is)[what]; !slices.Equal(got, want) {
			t.Errorf("%s, about %q, has\n%s\nthis night was\n%s\nrun go test ./test/docs -run TestNight -update if that is meant", where, what,
				strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
	}
	for what, lines := range inOrder(is) {
		if inOrder(was)[what] == nil {
			t.Errorf("%s lacks %s", where, lines)
		}
	}
}

var subjectOf = regexp.MustCompile(`(?:bat|rpl)#\d|belfry-sandbox`)

// inOrder are lines by what they are about, repeats of a line left out.
func inOrder(lines []string) map[string][]string {
	all := map[string][]string{}
	for _, l := range lines {
		if what := subjectOf.FindString(l); !slices.Contains(all[what], l) {
			all[what] = append(all[what], l)
		}
	}
	return all
}

var single = regexp.MustCompile(`ntf#\d+`)

var ids = regexp.MustCompile(`\b([a-z]{3})_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

// counted replaces each id by its kind and a number, in the order in which they come.
func counted(text string) string {
	seen := map[string]map[string]int{}
	return ids.ReplaceAllStringFunc(text, func(id string) string {
		kind, _, _ := strings.Cut(id, "_")
		if seen[kind] == nil {
			seen[kind] = map[string]int{}
		}
		if seen[kind][id] == 0 {
			seen[kind][id] = len(seen[kind]) + 1
		}
		return fmt.Sprintf("%s#%d", kind, seen[kind][id])
	})
}

// masked are lines of a log without what differs from run to run.
func masked(lines []string) []string {
	varying := []string{
		"time", "after", "took", "until", "trace_id", "public_key", "head", "key", "endpoint", "listen", "version", "revision", "go",
	}
	traces := map[string]string{} // of a batch
	var all []string
	for line := range strings.Lines(counted(strings.Join(lines, "\n"))) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			all = append(all, line)
			continue
		}
		if id, ok := l["notification"].(string); ok {
			if trace := fmt.Sprint(l["trace_id"]); traces[id] == "" {
				traces[id] = trace
			} else if traces[id] != trace {
				l["trace_id of another"] = trace
			}
		}
		switch l["op"] { // it may have begun to send
		case "pause":
			l["from"] = "…"
		case "resume":
			l["state"] = "…"
		}
		for key := range l {
			if slices.Contains(varying, key) || l["state"] == "paused" && slices.Contains([]string{"replayed", "sent", "open"}, key) {
				l[key] = "…"
			}
		}
		b, err := json.Marshal(l)
		if err != nil {
			panic(err)
		}
		all = append(all, string(b))
	}
	return all
}

// maskedTail are lines of belfry tail without times.
func maskedTail(lines []string) []string {
	var all []string
	for line := range strings.Lines(counted(strings.Join(lines, "\n"))) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		all = append(all, single.ReplaceAllString(rest, "ntf")) // however many it took until the tail followed
	}
	return all
}

// written is what a program writes, while it does.
type written struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements io.Writer.
func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Write(b)
}

func (w *written) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Split(strings.TrimSpace(w.all.String()), "\n")
}

// after is what follows a marker.
func (w *written) after(marker string) (rest string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, rest, ok = strings.Cut(w.all.String(), marker)
	return rest, ok
}

// nightWatch is one night.
type nightWatch struct {
	*testing.T

	env           []string
	log, followed written
	api           *client.Client
	sim           string
}

// run starts a program, whose end is the returned function.
func (n *nightWatch) run(out, errs *written, args ...string) (end func()) {
	n.Helper()
	cmd := commands.Command(n.T, "belfry", n.env, args...)
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		n.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	n.Cleanup(end)
	return end
}

// until waits for what a program writes.
func (n *nightWatch) until(w *written, marker string) (rest string) {
	n.Helper()
	programs.WaitFor(n.T, marker, func() (ok bool) { rest, ok = w.after(marker); return ok })
	return rest
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (n *nightWatch) play() {
	n.Helper()
	ctx := n.Context()
	stop := n.run(&written{}, &n.log, "up", "--sandbox")
	listen, _, _ := strings.Cut(n.until(&n.log, `"msg":"HTTP API is up","listen":"`), `"`)
	n.sim, _, _ = strings.Cut(n.until(&n.log, `"endpoint":"`), "/v1")
	n.api = must[*client.Client](n.T)(client.New("http://"+listen, "a-key-of-this-test-alone"))
	following := n.run(&n.followed, &written{}, "tail", "--type", "changed,completed,breaker,replay", "--api", "http://"+listen)
	n.follows(ctx)

	sale := n.batch(ctx, "The sale begins", map[string]int{"phone": 2000}, 200)
	n.change(ctx, n.api.PauseBatch, sale)
	n.change(ctx, n.api.ResumeBatch, sale)
	n.outage(ctx)
	n.until(&n.log, `"msg":"breaker closed"`)
	n.ends(ctx, sale)
	invoices := n.batch(ctx, "Your invoice", map[string]int{"desk": 400, "sim-unavailable-2": 12}, 0)
	n.ends(ctx, invoices)

	n.replay(ctx)
	following()
	stop()
}

// follows sends to one device until the tail has seen it: from then on it sees everything.
func (n *nightWatch) follows(ctx context.Context) {
	n.Helper()
	programs.WaitForMoment(n.T, time.Second, "the tail to follow", func() bool {
		if _, seen := n.followed.after("completed"); seen {
			return true
		}
		must[client.Notification](n.T)(n.api.Send(ctx, client.Request{
			To: &client.Target{Tokens: []string{"phone-of-ada"}}, Message: json.RawMessage(`{"notification":{"title":"Good night"}}`),
		}))
		return false
	})
}

func (n *nightWatch) batch(ctx context.Context, title string, recipients map[string]int, perSecond int) string {
	n.Helper()
	r := client.Request{Message: json.RawMessage(`{"notification":{"title":"` + title + `"}}`), Priority: client.PriorityBulk}
	if perSecond > 0 {
		r.Throttle = &client.Throttle{PerSecond: perSecond}
	}
	b := must[client.Notification](n.T)(n.api.CreateBatch(ctx, r))
	var lines strings.Builder
	for name, many := range recipients {
		for i := range many {
			fmt.Fprintf(&lines, "{\"token\":\"%s-%s-%d\"}\n", name, b.ID, i)
		}
	}
	if _, err := n.api.UploadRecipients(ctx, b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		n.Fatal(err)
	}
	n.change(ctx, n.api.StartBatch, b.ID)
	return b.ID
}

func (n *nightWatch) change(ctx context.Context, call func(context.Context, string) (client.Notification, error), id string) {
	n.Helper()
	if _, err := call(ctx, id); err != nil {
		n.Fatal(err)
	}
}

func (n *nightWatch) ends(ctx context.Context, id string) {
	n.Helper()
	if _, err := n.api.Await(ctx, id, 100*time.Millisecond); err != nil {
		n.Fatal(err)
	}
}

// outage has FCM answer 503 for six seconds.
func (n *nightWatch) outage(ctx context.Context) {
	n.Helper()
	req := must[*http.Request](n.T)(http.NewRequestWithContext(ctx, http.MethodPost, n.sim+"/_sim/outage",
		strings.NewReader(`{"status":503,"seconds":6}`)))
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		n.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		n.Fatal(res.Status)
	}
}

// replay sends the letters again, with a pause.
func (n *nightWatch) replay(ctx context.Context) {
	n.Helper()
	must[client.Drained](n.T)(n.api.DrainDeadLetters(ctx))
	sim := must[client.Simulation](n.T)(n.api.Simulate(ctx, client.SimulateRequest{Filter: client.DeadLetterFilter{Code: "fcm.unavailable"}}))
	r := must[client.Replay](n.T)(n.api.StartReplay(ctx, client.ReplayRequest{Simulation: sim.ID, Rate: 2, AtOnce: true, By: "ada"}))
	must[client.Replay](n.T)(n.api.PauseReplay(ctx, r.ID, "ada"))
	must[client.Replay](n.T)(n.api.ResumeReplay(ctx, r.ID, "ben"))
	programs.WaitFor(n.T, "the end of the replay", func() bool {
		return must[client.Replay](n.T)(n.api.Replay(ctx, r.ID)).State == client.ReplayCompleted
	})
	n.until(&n.log, `"state":"completed","why"`)
	n.until(&n.followed, "completed rpl_")
}
