package traces

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	otel "go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/adapter/otlp"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/test/programs"
)

// house is belfry up beside its simulator, in this process, with spans kept in memory.
type house struct {
	*testing.T

	api   *client.Client
	spans *memory
}

// memory is an exporter whose spans outlive its end.
type memory struct{ *tracetest.InMemoryExporter }

// Shutdown implements sdk.SpanExporter.
func (memory) Shutdown(context.Context) error { return nil }

// open starts a house. It waits a hundredth of what FCM asks for between tries.
func open(t *testing.T, backend string, sampler sdk.Sampler) *house {
	t.Helper()
	spans := &memory{tracetest.NewInMemoryExporter()}
	settings := otlp.Settings{Sampler: sampler, Queue: sdk.DefaultMaxQueueSize}
	recorder, err := otlp.New(t.Context(), settings, spans, otlp.About{Service: "belfry"},
		otlp.NewMetrics(prometheus.NewRegistry()), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := recorder.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	h := openWith(t, backend, recorder)
	h.spans = spans
	return h
}

// openWith starts a house whose spans go to a recorder, which stays open.
func openWith(t *testing.T, backend string, recorder *otlp.Recorder) *house {
	t.Helper()
	const waitScale = 0.01
	h := &house{T: t}
	prefix := ""
	if backend == config.BackendAWS {
		for _, pair := range servers.Start(t).Env() {
			name, value, _ := strings.Cut(pair, "=")
			t.Setenv(name, value)
		}
		prefix = fmt.Sprintf("trc-%x", time.Now().UnixNano()&0xffffff)
		h.must(operations.ProvisionStandIns(t.Context(), config.AWS{Prefix: prefix}))
	}
	store := config.Store{AWS: config.AWS{Prefix: prefix}, Backend: backend, Data: t.TempDir(), Visibility: 30 * time.Second}
	cfg := config.Up{
		Sandbox: true, Store: store, API: config.API{Listen: "127.0.0.1:0"}, FCM: config.FCM{Connections: 2, PerSecond: 10_000},
		Delivery: config.Delivery{MaxAttempts: 2}, Simulator: config.Simulator{Listen: "127.0.0.1:0"},
		Janitor: config.Janitor{Late: time.Hour}, Stop: config.Stop{Drain: 5 * time.Second},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan allinone.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- allinone.Up(ctx, cfg, zap.NewNop(), allinone.Hooks{
			Ready: func(a allinone.Addresses) { ready <- a }, Spans: recorder, WaitScale: waitScale,
		})
	}()
	t.Cleanup(func() {
		cancel()
		h.must(<-ended)
		http.DefaultClient.CloseIdleConnections()
	})
	select {
	case a := <-ready:
		var err error
		h.api, err = client.New(a.API, "")
		h.must(err)
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

var message = json.RawMessage(`{"notification":{"title":"Hi"}}`)

// send sends to tokens, and waits until every one has its outcome.
func (h *house) send(tokens ...string) client.Notification {
	h.Helper()
	n, err := h.api.Send(h.Context(), client.Request{To: &client.Target{Tokens: tokens}, Message: message})
	h.must(err)
	n, err = h.api.Await(h.Context(), n.ID, 0)
	h.must(err)
	return n
}

// span is one in the tree.
type span struct{ tracetest.SpanStub }

func (s *span) attr(key string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value.Emit()
		}
	}
	return ""
}

// of returns the spans of the traces that have a span about a notification.
func (h *house) of(id string) []span {
	all := h.spans.GetSpans()
	traces := map[otel.TraceID]bool{}
	for _, s := range all {
		if (&span{s}).attr("belfry.notification") == id {
			traces[s.SpanContext.TraceID()] = true
		}
	}
	var out []span
	for _, s := range all {
		if traces[s.SpanContext.TraceID()] {
			out = append(out, span{s})
		}
	}
	return out
}

// tree waits until the spans about a notification are as many as want has lines, and
// compares them.
func (h *house) tree(id, want string) {
	h.Helper()
	want = strings.TrimSpace(want)
	var got string
	lines := strings.Count(want, "\n") + 1
	programs.WaitFor(h.T, "the spans", func() bool {
		spans := h.of(id)
		got = draw(spans)
		return len(spans) >= lines
	})
	if got = strings.TrimSpace(got); got != want {
		h.Errorf("spans:\n%s\n\nwant:\n%s", got, want)
	}
}

// draw writes trees, traces in the order of their beginning, a span a line: name, kind, what
// is wrong, links. A parent that is not there is said.
func draw(spans []span) string {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b span) int {
		return cmp.Or(a.StartTime.Compare(b.StartTime), cmp.Compare(a.Name, b.Name))
	})
	known := map[otel.SpanID]string{}
	for _, s := range spans {
		known[s.SpanContext.SpanID()] = s.Name
	}
	var b strings.Builder
	var below func(parent otel.SpanID, depth int)
	write := func(s *span, depth int) {
		fmt.Fprintf(&b, "%s%s (%s)", strings.Repeat("  ", depth), s.Name, s.SpanKind)
		for _, key := range []string{"belfry.event", "belfry.code", "error.type"} {
			if v := s.attr(key); v != "" {
				fmt.Fprintf(&b, " %s", strings.TrimPrefix(v, "com.belfry."))
			}
		}
		for _, l := range s.Links {
			fmt.Fprintf(&b, " -> %s", cmp.Or(known[l.SpanContext.SpanID()], "elsewhere"))
		}
		b.WriteString("\n")
		below(s.SpanContext.SpanID(), depth+1)
	}
	below = func(parent otel.SpanID, depth int) {
		for i := range spans {
			if spans[i].Parent.SpanID() == parent {
				write(&spans[i], depth)
			}
		}
	}
	for i := range spans {
		p := spans[i].Parent.SpanID()
		if p.IsValid() && known[p] == "" {
			fmt.Fprintf(&b, "[%s]\n", hex.EncodeToString(p[:]))
			write(&spans[i], 1)
		} else if !p.IsValid() {
			write(&spans[i], 0)
		}
	}
	return b.String()
}
