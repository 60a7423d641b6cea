package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// batchServer keeps the lines of one batch as the API promises: lines below the
// watermark are skipped, a gap is refused. cutAt breaks a connection each time
// that many lines more have become durable.
type batchServer struct {
	mu    sync.Mutex
	lines []string
	bad   map[int64]bool // by line number
	cutAt int
	cuts  int
	parts int
	state State
}

func (s *batchServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/batches":
		if s.state == "" {
			s.state = StateUploading
		}
		answer(w, http.StatusCreated, Notification{ID: "bat_1", State: StateUploading})
	case "POST /v1/batches/bat_1/recipients":
		s.upload(w, r)
	case "POST /v1/batches/bat_1/start":
		s.state = "accepted"
		answer(w, http.StatusOK, Notification{ID: "bat_1", State: s.state})
	case "GET /v1/batches/bat_1":
		answer(w, http.StatusOK, Notification{ID: "bat_1", State: s.state})
	default:
		http.NotFound(w, r)
	}
}

func (s *batchServer) upload(w http.ResponseWriter, r *http.Request) {
	s.parts++
	line, _ := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	var res UploadResult
	if line > int64(len(s.lines))+1 {
		refuse(w, Problem{Status: http.StatusConflict, Code: "gap", Title: fmt.Sprintf("watermark is %d", len(s.lines))})
		return
	}
	for in := bufio.NewScanner(r.Body); in.Scan(); line++ {
		switch {
		case line <= int64(len(s.lines)):
			res.Skipped++
			continue
		case s.bad[line]:
			res.Invalid++
			res.Errors = append(res.Errors, LineError{Line: line, Code: "value"})
		default:
			res.Accepted++
		}
		s.lines = append(s.lines, in.Text())
		if s.cutAt > 0 && len(s.lines)%s.cutAt == 0 {
			s.cuts++
			cut()
		}
	}
	res.Watermark = int64(len(s.lines))
	answer(w, http.StatusOK, res)
}

func tokens(n int) iter.Seq[Recipient] {
	return func(yield func(Recipient) bool) {
		for i := range n {
			if !yield(Recipient{Token: fmt.Sprintf("token-%d", i+1)}) {
				return
			}
		}
	}
}

func (s *batchServer) check(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) != n {
		t.Fatalf("%d lines are durable, want %d", len(s.lines), n)
	}
	for i, line := range s.lines {
		if want := fmt.Sprintf(`{"token":"token-%d"}`, i+1); line != want {
			t.Fatalf("line %d is %s, want %s", i+1, line, want)
		}
	}
}

func TestSendBatch(t *testing.T) {
	t.Parallel()

	srv := &batchServer{bad: map[int64]bool{3: true, 20_001: true}}
	c := newClient(t, srv.ServeHTTP)
	var seen UploadResult
	n, err := c.SendBatch(t.Context(), Request{}, tokens(25_000), WithUploadProgress(func(r UploadResult) { seen = r }))
	if err != nil || n.ID != "bat_1" || n.State != "accepted" {
		t.Fatalf("SendBatch = %+v, %v", n, err)
	}
	srv.check(t, 25_000)
	if srv.parts != 3 {
		t.Errorf("%d parts, want 3 of up to %d lines", srv.parts, partLines)
	}
	if seen.Accepted != 24_998 || seen.Invalid != 2 || seen.Watermark != 25_000 || len(seen.Errors) != 2 {
		t.Errorf("totals = %+v", seen)
	}
}

func TestSendBatchOverBrokenConnections(t *testing.T) {
	t.Parallel()

	srv := &batchServer{cutAt: 2_600}
	c := newClient(t, srv.ServeHTTP)
	var seen UploadResult
	if _, err := c.SendBatch(t.Context(), Request{}, tokens(12_000), WithUploadProgress(func(r UploadResult) { seen = r })); err != nil {
		t.Fatal(err)
	}
	srv.check(t, 12_000)
	if srv.cuts != 4 {
		t.Errorf("%d connections were cut, want 4: the test must break some", srv.cuts)
	}
	if seen.Watermark != 12_000 || seen.Skipped == 0 {
		t.Errorf("totals = %+v, want skipped lines", seen)
	}
}

func TestSendBatchGivesUpAndGoesOn(t *testing.T) {
	t.Parallel()

	srv := &batchServer{cutAt: 100}
	c := newClient(t, srv.ServeHTTP)
	n, err := c.SendBatch(t.Context(), Request{}, tokens(1_000), WithIdempotencyKey("k"))
	if err == nil || n.ID != "bat_1" || !strings.Contains(err.Error(), "batch bat_1: upload lines 1 to 1000") {
		t.Fatalf("SendBatch = %+v, %v; want the batch's id and the lines", n, err)
	}
	srv.mu.Lock()
	srv.cutAt = 0
	srv.mu.Unlock()
	for range 2 { // the second finds it started
		if n, err = c.SendBatch(t.Context(), Request{}, tokens(1_000), WithIdempotencyKey("k")); err != nil || n.State != "accepted" {
			t.Fatalf("SendBatch again = %+v, %v", n, err)
		}
	}
	srv.check(t, 1_000)
}

func TestUploaderKeepsLinesAfterAnError(t *testing.T) {
	t.Parallel()

	srv, down := &batchServer{}, true
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		srv.ServeHTTP(w, r)
	})
	up := c.Uploader("bat_1", 1)
	for r := range tokens(5) {
		if err := up.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := up.Flush(t.Context()); !IsProblem(err, "") {
		t.Fatalf("Flush = %v", err)
	}
	down = false
	res, err := up.Flush(t.Context())
	if err != nil || res.Accepted != 5 || up.Total().Watermark != 5 {
		t.Errorf("Flush = %+v, %v", res, err)
	}
	srv.check(t, 5)
}

func TestUploaderTakesPartialAnswers(t *testing.T) {
	t.Parallel()

	// A draining server may answer before it has read everything.
	var lines []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		in := bufio.NewScanner(r.Body)
		for k := 0; k < 2 && in.Scan(); k++ {
			lines = append(lines, in.Text())
		}
		answer(w, http.StatusOK, UploadResult{Accepted: 2, Watermark: int64(len(lines))})
	})
	up := c.Uploader("bat_1", 0)
	for r := range tokens(6) {
		if err := up.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if res, err := up.Flush(t.Context()); err != nil || res.Watermark != 6 {
		t.Fatalf("Flush = %+v, %v", res, err)
	}
	if got := strings.Join(lines, ""); got != `{"token":"token-1"}{"token":"token-2"}{"token":"token-3"}{"token":"token-4"}{"token":`+
		`"token-5"}{"token":"token-6"}` {
		t.Errorf("lines = %s", got)
	}
}

func TestUploaderRefusesToSpin(t *testing.T) {
	t.Parallel()

	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, UploadResult{}) })
	up := c.Uploader("bat_1", 1)
	if err := up.AddLine(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := up.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "has lines up to 0 only") {
		t.Errorf("Flush = %v", err)
	}
	if err := up.AddLine(t.Context(), []byte("{}\n{}")); err == nil {
		t.Error("AddLine of two lines = nil")
	}
}

func TestUploadOptions(t *testing.T) {
	t.Parallel()

	var query, kind string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		query, kind = r.URL.RawQuery, r.Header.Get("Content-Type")
		answer(w, http.StatusOK, UploadResult{})
	})
	if _, err := c.UploadRecipients(t.Context(), "bat_1", strings.NewReader("{}"), UploadOptions{Offset: 7, AllOrNothing: true}); err != nil {
		t.Fatal(err)
	}
	if query != "all_or_nothing=true&offset=7" || kind != "application/x-ndjson" {
		t.Errorf("query = %s, content type = %s", query, kind)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()

	broken := false
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("class") != "permanent" || r.Header.Get("Accept") != "application/x-ndjson" {
			t.Errorf("query = %s, accept = %s", r.URL.RawQuery, r.Header.Get("Accept"))
		}
		enc := json.NewEncoder(w)
		for i := range 3 {
			_ = enc.Encode(Delivery{Index: i, Class: "permanent"})
		}
		if broken {
			_, _ = w.Write([]byte(`{"index":`))
			_ = http.NewResponseController(w).Flush()
			cut()
		}
	})
	for _, want := range []bool{false, true} {
		broken = want
		rows, failed := 0, false
		for d, err := range c.Report(t.Context(), "bat_1", DeliveryFilter{Class: "permanent"}) {
			if err != nil {
				failed = true
				continue
			}
			if d.Index != rows {
				t.Errorf("row %d has index %d", rows, d.Index)
			}
			rows++
		}
		if rows != 3 || failed != want {
			t.Errorf("broken=%v: %d rows, failed=%v", want, rows, failed)
		}
	}
	for range c.Report(t.Context(), "bat_1", DeliveryFilter{Class: "permanent"}) {
		break // closes the stream: goleak would tell
	}
}

func TestSendBatchStopsWithItsContext(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, (&batchServer{}).ServeHTTP)
	_, err := c.SendBatch(ctx, Request{}, func(yield func(Recipient) bool) {
		yield(Recipient{Token: "a"})
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}
