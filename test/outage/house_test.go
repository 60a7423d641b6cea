package outage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// house is an ingest and a dispatcher with a valve before each service.
type house struct {
	t                *testing.T
	env              []string
	sqs, tables, s3  *valve
	proxy            *faultyProxy // behind the valve of the tables
	sim              programs.Simulator
	ingest, dispatch string // where they listen
	api              *client.Client
}

// newHouse provisions an installation of its own and starts both programs.
func newHouse(t *testing.T) *house {
	t.Helper()
	ends := servers.Start(t)
	if ends.DynamoDB == "" {
		t.Skip("an AWS account cannot be made silent")
	}
	prefix := fmt.Sprintf("outage-%x", time.Now().UnixNano()&0xffffff)
	m := newFaultyProxy(t, ends.DynamoDB)
	h := &house{
		t: t, proxy: m, sqs: newValve(t, ends.SQS), tables: newValve(t, m.url), s3: newValve(t, ends.S3),
		sim: commands.Simulator(t, 20*time.Millisecond),
	}
	ends.SQS, ends.DynamoDB, ends.S3 = h.sqs.url, h.tables.url, h.s3.url
	h.env = append(ends.Env(), "BELFRY_BACKEND=aws", "BELFRY_AWS_PREFIX="+prefix, "BELFRY_LOG_FORMAT=json",
		"BELFRY_FCM_ENDPOINT="+h.sim.Endpoint)
	commands.Output(t, "belfry", h.env, "provision")
	h.ingest = h.start("ingest", `"listen":"`, "--listen", "127.0.0.1:0")
	h.dispatch = h.start("dispatcher", `"metrics":"`, "--metrics-listen", "127.0.0.1:0")
	var err error
	if h.api, err = client.New(h.ingest, ""); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) start(program, marker string, args ...string) string {
	h.t.Helper()
	_, rest := commands.Start(h.t, marker, program, slices.Clone(h.env), args...)
	listen, _, _ := strings.Cut(rest, `"`)
	return "http://" + listen
}

// answer is what a request got.
type answer struct {
	status int
	after  string // Retry-After
	body   []byte
	took   time.Duration
}

// ask makes one request, as a client without retries of its own does.
func (h *house) ask(method, url, body string, header ...string) answer {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Close = true
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	begun := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Errorf("%s %s: %v", method, url, err)
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, after: res.Header.Get("Retry-After")}
	a.body, _ = io.ReadAll(res.Body)
	a.took = time.Since(begun)
	return a
}

// readiness returns the status of /readyz of a program and of each of its checks.
func (h *house) readiness(program string) (status int, checks map[string]string) {
	h.t.Helper()
	a := h.ask(http.MethodGet, program+"/readyz", "")
	var body struct {
		Checks []struct{ Name, Status, Error string }
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		h.t.Fatalf("%s: %v", a.body, err)
	}
	checks = map[string]string{}
	for _, c := range body.Checks {
		checks[c.Name] = c.Status
	}
	return a.status, checks
}

// batch uploads recipients and starts sending to them at a pace.
func (h *house) batch(recipients int, perSecond int) string {
	h.t.Helper()
	ctx := h.t.Context()
	b, err := h.api.CreateBatch(ctx, client.Request{
		Message: json.RawMessage(`{"notification":{"title":"outage"}}`), Priority: "bulk", Throttle: &client.Throttle{PerSecond: perSecond},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	var lines strings.Builder
	for i := range recipients {
		fmt.Fprintf(&lines, "{\"token\":\"device-%06d\"}\n", i)
	}
	if _, err := h.api.UploadRecipients(ctx, b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.api.StartBatch(ctx, b.ID); err != nil {
		h.t.Fatal(err)
	}
	return b.ID
}
