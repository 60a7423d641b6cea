package otlp

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/proto"

	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
)

// TestExport: a span arrives at a collector as OTLP, with its own id, its parent's, links,
// attributes, status and the resource.
func TestExport(t *testing.T) {
	t.Parallel()
	got := make(chan *tracepb.TracesData, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Api-Key") != "k" || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("request %s %v", r.URL, r.Header)
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		b, err := io.ReadAll(z)
		var d tracepb.TracesData
		if err := errors.Join(err, proto.Unmarshal(b, &d)); err != nil {
			t.Error(err)
		}
		got <- &d
	}))
	defer collector.Close()
	s, err := Read(env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL,
		"OTEL_EXPORTER_OTLP_HEADERS", "api-key=k", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), s, About{Service: "belfry-test", Instance: "here"}, NewMetrics(prometheus.NewRegistry()), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	tr := trace.New(r, time.Now)
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	span := tr.Continue(trace.Server, "POST /x", caller)
	span.Set(trace.Text(trace.KeyTenant, "acme"), trace.Number(trace.KeyStatus, 503))
	span.Fail("503")
	span.End()
	tr.Begin(trace.Producer, "create", trace.ID("x"), caller).End()
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := <-got
	text := d.String()
	for _, want := range []string{"belfry-test", "here", "POST /x", "acme", "503", "STATUS_CODE_ERROR", "SPAN_KIND_SERVER", "links:"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	spans := d.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	at := span.At()
	if string(spans[0].GetSpanId()) != string(at.ParentID[:]) || string(spans[0].GetTraceId()) != string(at.TraceID[:]) ||
		len(spans[0].GetParentSpanId()) != 8 {
		t.Errorf("ids of %v, want %s", spans[0], at)
	}
	if id := trace.ID("x"); string(spans[1].GetTraceId()) != string(id[:]) || len(spans[1].GetParentSpanId()) != 0 {
		t.Errorf("ids of %v", spans[1])
	}
	if n := testutil.ToFloat64(r.queue.spans.exported); n != 2 {
		t.Errorf("counted %v exported", n)
	}
}

// stub is an exporter that does what it is told.
type stub struct {
	fail  atomic.Bool
	block chan struct{}
	got   atomic.Int64
}

func (s *stub) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.fail.Load() {
		return errors.New("refused")
	}
	s.got.Add(int64(len(spans)))
	return nil
}

func (*stub) Shutdown(context.Context) error { return nil }

// TestCollectorRefuses: a collector that refuses is said once, and once that it is back.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		s := &stub{}
		s.fail.Store(true)
		r, err := New(t.Context(), Settings{Sampler: sdk.AlwaysSample(), Queue: 100}, s, About{},
			NewMetrics(prometheus.NewRegistry()), zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		tr := trace.New(r, time.Now)
		for range 5 {
			tr.Continue(trace.Server, "x", "").End()
			time.Sleep(time.Minute)
		}
		if logs.Len() != 1 || testutil.ToFloat64(r.queue.spans.failed) != 5 {
			t.Errorf("logged %+v", logs.All())
		}
		s.fail.Store(false)
		for range 3 {
			tr.Continue(trace.Server, "x", "").End()
			time.Sleep(time.Minute)
		}
		if logs.Len() != 2 || s.got.Load() != 3 || r.queue.waiting.Load() != 0 {
			t.Errorf("logged %+v, exported %d", logs.All(), s.got.Load())
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestCollectorHangs: while a collector hangs, spans end at once, no more than the queue
// holds wait, and it is said once. Closing does not wait for it longer than it is told to.
func TestCollectorHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		s := &stub{block: make(chan struct{})}
		r, err := New(t.Context(), Settings{Sampler: sdk.AlwaysSample(), Queue: 600}, s, About{},
			NewMetrics(prometheus.NewRegistry()), zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		tr, begun := trace.New(r, time.Now), time.Now()
		const all = 10_000
		for range all {
			tr.Continue(trace.Server, "x", "").End()
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("ending spans took %v", took)
		}
		if n := r.queue.waiting.Load(); n != 600 || testutil.ToFloat64(r.queue.spans.dropped) != all-600 || logs.Len() != 1 {
			t.Errorf("%d wait, logged %+v", n, logs.All())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("closing took %v", took)
		}
		close(s.block)
		time.Sleep(time.Hour)
		synctest.Wait()
	})
}

// TestSampling: the caller's decision holds, and a share of the others.
func TestSampling(t *testing.T) {
	t.Parallel()
	r, err := New(t.Context(), Settings{Sampler: sdk.ParentBased(sdk.TraceIDRatioBased(0.25)), Queue: 1}, &stub{}, About{},
		NewMetrics(prometheus.NewRegistry()), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(context.Background()) }()
	yes, no := telemetry.NewTraceParent(true), telemetry.NewTraceParent(false)
	if !r.Sample(yes.TraceID, yes) || r.Sample(no.TraceID, no) {
		t.Error("the caller's decision does not hold")
	}
	n := 0
	const all = 4000
	for i := range all {
		if r.Sample(trace.ID("x", string(rune(i))), telemetry.TraceParent{}) {
			n++
		}
	}
	if n < all/5 || n > all*3/10 {
		t.Errorf("%d of %d", n, all)
	}
	spared := 0
	for range 1000 {
		if r.Spare(trace.Failed) {
			spared++
		}
	}
	if !r.Spare(trace.Refused) || r.Spare(trace.Refused) {
		t.Error("of refusals one a second is kept, whatever fails beside them")
	}
	if spared < sparedPerSecond || spared > 2*sparedPerSecond {
		t.Errorf("%d failures at once are kept", spared)
	}
}
