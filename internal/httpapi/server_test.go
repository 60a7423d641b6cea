package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

func TestConfigNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Log: zap.NewNop(), Auth: Keys{}})
	if err == nil || !strings.Contains(err.Error(), "Intake") || !strings.Contains(err.Error(), "Registry") || strings.Contains(err.Error(), "Log") {
		t.Errorf("got %v", err)
	}
	g := setup(t)
	if _, err := New(g.cfg); err == nil {
		t.Error("metrics that are registered already must be an error")
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.batches.fn = func(string, push.ID) (push.Notification, error) { panic("secret bug") }
	got := g.do(t, "POST", start, "", "X-Request-Id", "r1").want(t, http.StatusInternalServerError, codeInternal)
	if strings.Contains(got.Body.String(), "secret") {
		t.Errorf("the answer tells of the panic: %s", got.Body)
	}
	logged := g.logs.FilterMessage("a handler panicked").All()
	if len(logged) != 1 || logged[0].ContextMap()["request_id"] != "r1" || !strings.Contains(fmt.Sprint(logged[0].ContextMap()["stack"]), "TestPanic") {
		t.Errorf("logged %v", logged)
	}
}

func TestLogAndMetrics(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.intake.fail = errors.New("disk full")
	g.do(t, "POST", "/v1/notifications", send, "X-Request-Id", "r1")
	g.do(t, "GET", "/v1/devices?user_id=secret-user", "")
	g.do(t, "GET", "/v1/devices?limit=secret-value", "")
	g.do(t, "BREW", "/secret-path", "")
	lines := g.logs.FilterMessage("request").All()
	if len(lines) != 4 {
		t.Fatalf("logged %d lines, want one a request", len(lines))
	}
	first := lines[0].ContextMap()
	if first["request_id"] != "r1" || first["route"] != "/v1/notifications" || first["status"] != int64(500) || first["tenant"] != "default" || first["error"] == nil || len(first["trace_id"].(string)) != 32 {
		t.Errorf("logged %v", first)
	}
	for _, l := range g.logs.All() {
		if s := fmt.Sprint(l.Message, l.ContextMap()); strings.Contains(s, "secret") || strings.Contains(s, "BREW") {
			t.Errorf("logged what a caller sent: %s", s)
		}
	}
	metrics := g.do(t, "GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`belfry_http_requests_total{method="POST",route="/v1/notifications",status="500"} 1`,
		`belfry_http_requests_total{method="POST",route="/v1/notifications",status="202"} 0`, // known before it happens
		`belfry_http_requests_total{method="",route="/",status="404"} 1`,
		`belfry_http_request_duration_seconds_count{method="GET",route="/v1/devices"} 2`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

func TestOperatorRoutes(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.do(t, "GET", "/healthz", "").want(t, http.StatusOK, "")
	g.do(t, "GET", "/readyz", "").want(t, http.StatusOK, "")
	if err := g.health.Register("ledger", func(context.Context) error { return errors.New("locked") }); err != nil {
		t.Fatal(err)
	}
	if got := g.do(t, "GET", "/readyz", ""); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "locked") {
		t.Errorf("not ready: %d %s", got.Code, got.Body)
	}
	text := g.do(t, "GET", "/readyz", "", "Accept", "text/plain")
	if text.Code != http.StatusServiceUnavailable || !strings.HasPrefix(text.Body.String(), "failing\nledger: failing for ") || !strings.HasSuffix(text.Body.String(), ": locked\n") {
		t.Errorf("as text: %d %s", text.Code, text.Body)
	}
	g.health.Drain()
	if got := g.do(t, "GET", "/readyz", ""); !strings.Contains(got.Body.String(), string(telemetry.StatusDraining)) {
		t.Errorf("draining: %s", got.Body)
	}
	g.do(t, "GET", "/healthz", "").want(t, http.StatusOK, "")
	got := g.do(t, "GET", "/metrics", "").want(t, http.StatusOK, "")
	for _, name := range []string{"belfry_http_requests_total", "belfry_http_request_duration_seconds_bucket", "belfry_build_info"} {
		if !strings.Contains(got.Body.String(), name) {
			t.Errorf("no %s in the metrics", name)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	g := setup(t)
	srv := httptest.NewServer(g.mux)
	defer srv.Close()
	resp, err := srv.Client().Head(srv.URL + "/v1/notifications/" + ntfID)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength <= 0 {
		t.Errorf("status %d, length %d", resp.StatusCode, resp.ContentLength)
	}
}

// A client that breaks off in the middle of an upload leaves what is durable,
// and its log line is no failure of the server's.
func TestBrokenUpload(t *testing.T) {
	t.Parallel()
	g := setup(t)
	read := make(chan error, 1)
	g.batches.upload = func(r io.Reader, o batch.Options) (batch.Result, error) {
		res, err := countLines(r, o)
		read <- err
		return res, err
	}
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = NewServer(g.mux, g.log)
	srv.Start()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{}\n", recipients)
	conn.Close()
	if err := <-read; err == nil {
		t.Error("a body that broke off must be an error")
	}
	srv.Close()
	lines := g.logs.FilterMessage("request").All()
	if len(lines) != 1 || lines[0].ContextMap()["status"] != int64(http.StatusBadRequest) || lines[0].Level != zap.InfoLevel {
		t.Errorf("logged %v", lines)
	}
}

// posted is a POST with a body of that media type.
func posted(target, kind, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}

// hungUp is a connection whose client has gone.
type hungUp struct{ *httptest.ResponseRecorder }

func (hungUp) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// A client that leaves before its answer, or in the middle of it, is counted
// and is no failure of the server's.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.intake.fail = fmt.Errorf("record: %w", context.Canceled)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.mux.ServeHTTP(httptest.NewRecorder(), posted("/v1/notifications", typeJSON, send).WithContext(ctx))
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("panicked with %v, want http.ErrAbortHandler", err)
			}
		}()
		r := httptest.NewRequest(http.MethodGet, deliveries, nil)
		r.Header.Set("Accept", typeNDJSON)
		g.mux.ServeHTTP(hungUp{httptest.NewRecorder()}, r)
	}()
	lines := g.logs.FilterMessage("request").All()
	if len(lines) != 2 || lines[0].ContextMap()["status"] != int64(statusGone) || lines[1].ContextMap()["cut"] != true {
		t.Fatalf("logged %v", lines)
	}
	for _, l := range lines {
		if l.Level != zap.InfoLevel {
			t.Errorf("logged as %v: %v", l.Level, l.ContextMap())
		}
	}
}

// deadlines records what a handler does to its connection's deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = append(d.read, t); return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = append(d.write, t); return nil }

// A deadline stands while a body is read, moves along with an upload, and is
// gone afterwards: it would look like the client's leaving.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for target, body := range map[string]struct{ kind, text string }{
		"/v1/notifications": {typeJSON, send}, recipients: {typeNDJSON, strings.Repeat("{}\n", 1000)},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			setup(t).mux.ServeHTTP(w, posted(target, body.kind, body.text))
			if n := len(w.read); n < 2 || w.read[0].IsZero() || !w.read[n-1].IsZero() {
				t.Errorf("read deadlines: %v", w.read)
			}
			if len(w.write) != 1 || w.write[0].IsZero() {
				t.Errorf("write deadlines: %v", w.write)
			}
		})
	}
}

// The server's own limits: a handler's time has to fit between them.
func TestServerLimits(t *testing.T) {
	t.Parallel()
	s := NewServer(http.NotFoundHandler(), zap.NewNop())
	if s.ReadHeaderTimeout <= 0 || s.IdleTimeout <= 0 || s.WriteTimeout <= requestTime || s.ReadTimeout != 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("got %+v", s)
	}
	if bodyPatience >= requestTime || onceWait >= requestTime {
		t.Error("a body, or another request's answer, is waited for longer than a request may take")
	}
}

// A body that no handler reads has its deadline too: net/http reads on to the
// end of it before the next request. A request without a body must have none.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *Config) { cfg.Auth = NewKeys(map[string]string{"k": "t"}) })
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	g.mux.ServeHTTP(w, posted("/v1/notifications", typeJSON, send))
	if w.Code != http.StatusUnauthorized || len(w.read) != 1 || w.read[0].IsZero() {
		t.Errorf("status %d, read deadlines: %v", w.Code, w.read)
	}
	w = &deadlines{ResponseRecorder: httptest.NewRecorder()}
	g.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/devices", nil))
	if len(w.read) != 0 {
		t.Errorf("without a body: %v", w.read)
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	g := setup(t)
	h := NewProbes(g.health, g.cfg.Pages, g.cfg.Registry, zap.NewNop())
	for target, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/v1/notifications": 404, "/openapi.json": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != status || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	g.health.Drain()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != typeJSON {
		t.Errorf("draining: %d %q", w.Code, w.Header().Get("Content-Type"))
	}
}
