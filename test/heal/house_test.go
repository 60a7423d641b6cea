package heal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/programs"
)

const recipients = 2000

// look is how often a test looks how it stands.
const look = 200 * time.Millisecond

// house is a backend with an ingest, and a simulator of FCM.
type house struct {
	t       *testing.T
	backend []string // its settings
	data    string   // embedded: the directory
	prefix  string   // aws: of its names
	sim     programs.Simulator
	ingest  *programs.Process
	api     *client.Client
}

// onBoth runs a test on the embedded backend and on the stand-ins for AWS.
func onBoth(t *testing.T, run func(t *testing.T, h *house)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		run(t, &house{t: t, backend: []string{"BELFRY_DATA=" + dir}, data: dir, sim: commands.Simulator(t, 20*time.Millisecond)})
	})
	t.Run("aws", func(t *testing.T) {
		t.Parallel()
		prefix := fmt.Sprintf("heal-%x", time.Now().UnixNano()&0xffffff)
		env := append(servers.Start(t).Env(), "BELFRY_BACKEND=aws", "BELFRY_AWS_PREFIX="+prefix)
		commands.Output(t, "belfry", env, "provision")
		run(t, &house{t: t, backend: env, prefix: prefix, sim: commands.Simulator(t, 20*time.Millisecond)})
	})
}

// visible is a visibility timeout that no busy machine outlasts: as nobody who holds a
// message is late, none is handed out, or sent, twice.
const visible = "BELFRY_VISIBILITY=10s"

// unhurried are the settings under which nothing counts as lost because a machine is busy.
func unhurried() []string { return []string{visible, "BELFRY_LATE_AFTER=10s"} }

func (h *house) env(more ...string) []string {
	return slices.Concat(h.backend, []string{"BELFRY_VISIBILITY=2s", "BELFRY_LATE_AFTER=2s", "BELFRY_LOG_FORMAT=json"}, more)
}

// accept starts an ingest.
func (h *house) accept(more ...string) {
	h.t.Helper()
	p, rest := commands.Start(h.t, `"listen":"`, "ingest", h.env(more...), "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	api, err := client.New("http://"+listen, "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.ingest, h.api = p, api
}

// dispatch starts a dispatcher.
func (h *house) dispatch(roles string, more ...string) *programs.Process {
	h.t.Helper()
	env := h.env(append(more, "BELFRY_FCM_ENDPOINT="+h.sim.Endpoint)...)
	p, _ := commands.Start(h.t, `"metrics":"`, "dispatcher", env, "--metrics-listen", "127.0.0.1:0", "--roles", roles)
	return p
}

// batch uploads a batch and starts it.
func (h *house) batch(request client.Request, token func(line int) string) string {
	h.t.Helper()
	ctx := h.t.Context()
	request.Message, request.Priority = json.RawMessage(`{"notification":{"title":"heal"}}`), "bulk"
	b, err := h.api.CreateBatch(ctx, request)
	if err != nil {
		h.t.Fatal(err)
	}
	var lines strings.Builder
	for i := range recipients {
		fmt.Fprintf(&lines, "{\"token\":%q}\n", token(i+1))
	}
	if _, err := h.api.UploadRecipients(ctx, b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.api.StartBatch(ctx, b.ID); err != nil {
		h.t.Fatal(err)
	}
	return b.ID
}

func plain(line int) string { return fmt.Sprintf("device-%06d", line) }

// state returns a notification as it stands. A server whose store is too slow to answer,
// as on a busy machine, is asked again.
func (h *house) state(id string) (n client.Notification) {
	h.t.Helper()
	programs.WaitForMoment(h.t, look, "an answer about "+id, func() bool {
		var err error
		n, err = h.api.Notification(h.t.Context(), id)
		if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusServiceUnavailable {
			return false
		}
		if err != nil {
			h.t.Fatal(err)
		}
		return true
	})
	return n
}

// planned waits until all recipients are in the ledger, and the planner has done
// its task: by then the chunks are on their queue.
func (h *house) planned(id string) {
	h.t.Helper()
	programs.WaitForMoment(h.t, look, "the plan", func() bool {
		n := h.state(id)
		tasks, ok := h.tasks()
		return n.State == "sending" && n.Counts.Open == n.Recipients && n.Recipients == recipients && ok && tasks == 0
	})
}

// await waits for the end of a notification.
func (h *house) await(id string) client.Notification {
	h.t.Helper()
	var n client.Notification
	programs.WaitForMoment(h.t, look, "the end of "+id, func() bool {
		n = h.state(id)
		return n.State != "sending" && n.State != "accepted"
	})
	return n
}

// lost is how many lost messages the janitor tells of in its metrics.
func (h *house) lost() int {
	h.t.Helper()
	n, _ := h.metric("belfry_janitor_lost_total{")
	return n
}

// tasks is how many messages for fanout wait or are in hand; ok is false if the
// queue could not be asked.
func (h *house) tasks() (n int, ok bool) {
	h.t.Helper()
	return h.depth(push.QueueNotifications)
}

// depth is how many messages of a queue wait or are in hand; ok is false if the
// queue could not be asked.
func (h *house) depth(queue string) (n int, ok bool) {
	h.t.Helper()
	waiting, ok := h.metric(fmt.Sprintf(`belfry_queue_depth{queue=%q,state="visible"}`, queue))
	inFlight, _ := h.metric(fmt.Sprintf(`belfry_queue_depth{queue=%q,state="in_flight"}`, queue))
	return waiting + inFlight, ok
}

// metric is the sum of ingest's metrics whose line begins so, if there are any.
func (h *house) metric(prefix string) (n int, ok bool) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.api.String()+"/metrics", http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), " "); strings.HasPrefix(name, prefix) {
			x, err := strconv.Atoi(value)
			if err != nil {
				h.t.Fatal(err)
			}
			n, ok = n+x, true
		}
	}
	return n, ok
}

// check holds a report against what the simulator accepted: nobody is sent to
// twice without a flag, and whoever was sent to was sent to.
func (h *house) check(id string, token func(line int) string) (codes map[string]int) {
	h.t.Helper()
	times := h.sim.Accepted(h.t)
	codes = map[string]int{}
	rows := recipients
	for d, err := range h.api.Deliveries(h.t.Context(), id, client.DeliveryFilter{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		codes[string(d.Code)]++
		rows--
		n := times[token(int(d.Line))]
		if d.Code == "sent" && n == 0 || n > 1 && !d.PossibleDuplicate {
			h.t.Errorf("line %d is %s, was accepted %d times, flagged: %v", d.Line, d.Code, n, d.PossibleDuplicate)
		}
	}
	if rows != 0 {
		h.t.Errorf("%d rows are missing", rows)
	}
	return codes
}
