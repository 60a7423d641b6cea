package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/sameorigin"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// The ids that tests speak of.
const (
	ntfID = "ntf_01890a5d-ac96-774b-bcce-b302099a8057"
	batID = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
)

// testHost is the Host of the requests that httptest makes.
const testHost = "example.com"

func pages(tb testing.TB, cfg sameorigin.Config) *sameorigin.Guard {
	tb.Helper()
	g, err := sameorigin.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func testNow() time.Time { return time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC) }

// rig is the door on fakes.
type rig struct {
	*api
	intake  *fakeIntake
	batches *fakeBatches
	devices *fakeDevices
	reports *fakeReports
	answers *fakeAnswers
	health  *telemetry.Health
	logs    *observer.ObservedLogs
}

func setup(tb testing.TB, change ...func(*Config)) *rig {
	tb.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	g := &rig{
		logs:    logs,
		intake:  &fakeIntake{now: testNow, seen: map[push.ID]push.Notification{}},
		batches: &fakeBatches{fn: moved, upload: countLines},
		devices: &fakeDevices{all: map[push.ID]push.Device{}},
		reports: &fakeReports{view: report.View{Notification: push.Notification{ID: ntfID, Priority: push.PriorityNormal, AcceptedAt: testNow()}, State: push.StateSending}},
		answers: &fakeAnswers{recs: map[string]idempotency.Record{}},
		health:  telemetry.NewHealth(time.Second),
	}
	cfg := Config{
		Intake: g.intake, Batches: g.batches, Devices: g.devices, Reports: g.reports, DeadLetters: newRoom(tb), Answers: g.answers,
		Auth: Keys{}, Pages: pages(tb, sameorigin.Config{Listen: "127.0.0.1:8080", Allowed: []string{testHost}}), Health: g.health, Registry: telemetry.NewRegistry(), Log: zap.New(core), Now: testNow, Version: "v1.2.3",
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if g.api, err = newAPI(cfg); err != nil {
		tb.Fatal(err)
	}
	return g
}

// moved answers an operation with a notification in a fitting state.
func moved(op string, id push.ID) (push.Notification, error) {
	state := map[string]push.State{"start": push.StateAccepted, "pause": push.StatePaused, "resume": push.StateSending, "cancel": push.StateCancelled}[op]
	return push.Notification{ID: id, Priority: push.PriorityBulk, AcceptedAt: testNow(), Progress: push.Progress{State: state, Sources: 3, Watermark: 4, Invalid: 1}}, nil
}

func countLines(r io.Reader, _ batch.Options) (batch.Result, error) {
	b, err := io.ReadAll(r)
	n := int64(bytes.Count(b, []byte("\n")))
	return batch.Result{Accepted: n, Watermark: n}, err
}

// answer is what came back, with its problem if it is one.
type answer struct {
	*httptest.ResponseRecorder
	problem client.Problem
}

// do makes a request and checks that the answer is what the document promises.
// Headers are names, each followed by its value.
func (g *rig) do(tb testing.TB, method, target, body string, headers ...string) answer {
	tb.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, target, nil)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	_, pattern := g.mux.Handler(r)
	if body != "" && r.Header["Content-Type"] == nil {
		r.Header.Set("Content-Type", g.usualType(pattern))
	}
	if r.Header.Get("Content-Type") == noType {
		r.Header.Del("Content-Type")
	}
	got := answer{ResponseRecorder: httptest.NewRecorder()}
	g.mux.ServeHTTP(got, r)
	g.conforms(tb, pattern, got.Code, got.Header(), got.Body.Bytes())
	if got.Code >= http.StatusBadRequest && got.Header().Get("Content-Type") == typeProblem {
		decode(tb, got.Body.Bytes(), &got.problem)
	}
	return got
}

// noType is the Content-Type of a body that comes without any.
const noType = "none"

// usualType is the Content-Type that clients send to a route.
func (g *rig) usualType(pattern string) string {
	for _, rt := range g.routes {
		if rt.pattern() == pattern && len(rt.takes) > 0 {
			return rt.takes[0]
		}
	}
	return typeJSON
}

// want fails unless the answer has the status and, for a problem, the code.
func (a answer) want(tb testing.TB, status int, c code) answer {
	tb.Helper()
	if a.Code != status || a.problem.Code != string(c) {
		tb.Fatalf("got %d %q, want %d %q: %s", a.Code, a.problem.Code, status, c, a.Body)
	}
	return a
}

func decode(tb testing.TB, b []byte, into any) {
	tb.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		tb.Fatalf("not JSON: %v: %s", err, b)
	}
}

// conforms checks an answer against the OpenAPI document.
func (g *rig) conforms(tb testing.TB, pattern string, status int, h http.Header, body []byte) {
	tb.Helper()
	for _, name := range []string{requestIDHeader, "Cache-Control", "Cross-Origin-Resource-Policy"} {
		if h.Get(name) == "" {
			tb.Errorf("the answer has no %s", name)
		}
	}
	content := map[string]*huma.MediaType{typeProblem: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}}
	if pattern != "/" {
		method, path, _ := strings.Cut(pattern, " ")
		response := operationOf(g.spec.doc.Paths[path], method).Responses[strconv.Itoa(status)]
		if response == nil {
			tb.Fatalf("%s: status %d is not in the document: %s", pattern, status, body)
		}
		content = response.Content
	}
	if len(content) == 0 {
		if len(body) > 0 {
			tb.Fatalf("%s: %d must have no body: %s", pattern, status, body)
		}
		return
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		tb.Fatalf("%s: %d has the media type %q, which is not in the document: %s", pattern, status, h.Get("Content-Type"), body)
	}
	switch kind {
	case typeJSON, typeProblem:
		g.valid(tb, content[kind].Schema, body)
	case typeNDJSON:
		for line := range bytes.Lines(body) {
			g.valid(tb, content[kind].Schema, line)
		}
	}
}

func (g *rig) valid(tb testing.TB, schema *huma.Schema, body []byte) {
	tb.Helper()
	var v any
	decode(tb, body, &v)
	res := &huma.ValidateResult{}
	huma.Validate(g.spec.schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, res)
	for _, err := range res.Errors {
		tb.Errorf("the answer is not of its schema: %v: %s", err, body)
	}
}

func operationOf(item *huma.PathItem, method string) *huma.Operation {
	if item == nil {
		return &huma.Operation{}
	}
	op := map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete}[method]
	if op == nil {
		return &huma.Operation{}
	}
	return op
}
