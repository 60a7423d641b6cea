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

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/telemetry"
)

func TestConfigNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Log: zap.NewNop(), Auth: access.Keys{}})
	if err == nil || !strings.Contains(err.Error(), "Intake") || !strings.Contains(err.Error(), "Registry") ||
		strings.Contains(err.Error(), ": Log:") {
		t.Errorf("got %v", err)
	}
	g := setup(t)
	if _, err := New(g.cfg); err == nil {
		t.Error("metrics that are registered already must be an error")
	}
}

func TestLogAndMetrics(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.intake.fail = errors.New("disk full")
	g.Do(t, "POST", "/v1/notifications", send, "X-Request-Id", "r1")
	g.Do(t, "GET", "/v1/devices?user_id=secret-user", "")
	g.Do(t, "GET", "/v1/devices?limit=secret-value", "")
	g.Do(t, "BREW", "/secret-path", "")
	lines := g.logs.FilterMessage("request").All()
	if len(lines) != 4 {
		t.Fatalf("logged %d lines, want one a request", len(lines))
	}
	first := lines[0].ContextMap()
	if first["request_id"] != "r1" || first["route"] != "/v1/notifications" || first["status"] != int64(500) ||
		first["tenant"] != "default" || first["code"] != "internal" ||
		lines[0].Level != zap.ErrorLevel || lines[1].Level != zap.DebugLevel || first["error"] == nil || len(first["trace_id"].(string)) != 32 {
		t.Errorf("logged %v", first)
	}
	for _, l := range g.logs.All() {
		if s := fmt.Sprint(l.Message, l.ContextMap()); strings.Contains(s, "secret") || strings.Contains(s, "BREW") {
			t.Errorf("logged what a caller sent: %s", s)
		}
	}
	metrics := g.Do(t, "GET", "/metrics", "").Body.String()
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
	g.Do(t, "GET", "/healthz", "").Want(t, http.StatusOK, "")
	g.Do(t, "GET", "/readyz", "").Want(t, http.StatusOK, "")
	if err := g.health.Register("ledger", func(context.Context) error { return errors.New("locked") }); err != nil {
		t.Fatal(err)
	}
	if got := g.Do(t, "GET", "/readyz", ""); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "locked") {
		t.Errorf("not ready: %d %s", got.Code, got.Body)
	}
	text := g.Do(t, "GET", "/readyz", "", "Accept", "text/plain")
	if text.Code != http.StatusServiceUnavailable || !strings.HasPrefix(text.Body.String(), "failing\nledger: failing for ") ||
		!strings.HasSuffix(text.Body.String(), ": locked\n") {
		t.Errorf("as text: %d %s", text.Code, text.Body)
	}
	g.health.Drain()
	if got := g.Do(t, "GET", "/readyz", ""); !strings.Contains(got.Body.String(), string(telemetry.StatusDraining)) {
		t.Errorf("draining: %s", got.Body)
	}
	g.Do(t, "GET", "/healthz", "").Want(t, http.StatusOK, "")
	got := g.Do(t, "GET", "/metrics", "").Want(t, http.StatusOK, "")
	for _, name := range []string{"belfry_http_requests_total", "belfry_http_request_duration_seconds_bucket", "belfry_build_info"} {
		if !strings.Contains(got.Body.String(), name) {
			t.Errorf("no %s in the metrics", name)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	g := setup(t)
	srv := httptest.NewServer(g)
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
	srv.Config = door.NewServer(g, zap.NewNop())
	srv.Start()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{}\n",
		recipients)
	conn.Close()
	if err := <-read; err == nil {
		t.Error("a body that broke off must be an error")
	}
	srv.Close()
	lines := g.logs.FilterMessage("request").All()
	if len(lines) != 1 || lines[0].ContextMap()["status"] != int64(http.StatusBadRequest) || lines[0].Level != zap.DebugLevel {
		t.Errorf("logged %v", lines)
	}
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
	g.ServeHTTP(httptest.NewRecorder(), doortest.Posted("/v1/notifications", door.TypeJSON, send).WithContext(ctx))
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("panicked with %v, want http.ErrAbortHandler", err)
			}
		}()
		r := httptest.NewRequest(http.MethodGet, deliveriesPath, nil)
		r.Header.Set("Accept", door.TypeNDJSON)
		g.ServeHTTP(hungUp{httptest.NewRecorder()}, r)
	}()
	lines := g.logs.FilterMessage("request").All()
	if len(lines) != 2 || lines[0].ContextMap()["status"] != int64(door.StatusGone) || lines[1].ContextMap()["cut"] != true {
		t.Fatalf("logged %v", lines)
	}
	for _, l := range lines {
		if l.Level != zap.DebugLevel {
			t.Errorf("logged as %v: %v", l.Level, l.ContextMap())
		}
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	g := setup(t)
	h := NewProbes(g.health, itself{}, g.cfg.Pages, g.cfg.Registry, zap.NewNop())
	for target, status := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/metrics": 200, "/v1/notifications": 404, "/openapi.json": 404,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != status || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	g.health.Drain()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != door.TypeJSON {
		t.Errorf("draining: %d %q", w.Code, w.Header().Get("Content-Type"))
	}
}
