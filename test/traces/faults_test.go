package traces

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/adapter/otlp"
	"github.com/belfry-push/belfry/internal/config"
)

// faults of a collector, by name: what answers at its address.
func collectors(t *testing.T) map[string]string {
	t.Helper()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	forever, never := context.WithCancel(context.WithoutCancel(t.Context()))
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-forever.Done():
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		never()
		hangs.Close()
	})
	answers := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	return map[string]string{
		"down": "http://" + gone.Addr().String(), "hanging": hangs.URL,
		"refusing with 500": answers(http.StatusInternalServerError), "refusing with 429": answers(http.StatusTooManyRequests),
	}
}

// room is how many spans may wait in these tests: far fewer than there are.
const room = 64

// TestCollectorFails sends everything while the collector is down, hangs for ever, or refuses:
// every delivery gets its outcome, no more spans wait than there is room for, each of them is
// counted, it is said once, and the end is not held up. A collector that hangs for ever is the
// proof that nothing waits for it: what did would not come to its end.
func TestCollectorFails(t *testing.T) { //nolint:paralleltest // the house is told by the environment
	for name, url := range collectors(t) { //nolint:paralleltest // as above
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			metrics := prometheus.NewRegistry()
			settings := otlp.Settings{
				On: true, Endpoint: url, Header: http.Header{}, Timeout: time.Hour, Sampler: sdk.AlwaysSample(), Queue: room,
			}
			r, err := otlp.Open(t.Context(), settings, otlp.About{Service: "belfry"}, otlp.NewMetrics(metrics), zap.New(core))
			if err != nil {
				t.Fatal(err)
			}
			t.Run("meanwhile", func(t *testing.T) {
				h := openWith(t, config.BackendEmbedded, r)
				for range 2 {
					if b := h.batch(700); b.Counts == nil || b.Counts.Sent != 700 {
						h.Errorf("the batch is %+v", b.Counts)
					}
				}
				for range 20 {
					h.send("one", "sim-internal-1-two")
				}
			})
			counted := func(result string) float64 { return counter(t, metrics, result) }
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), r.Grace())
			defer cancel()
			if err := r.Close(ctx); err != nil { // it would wait for an hour if it waited for the collector
				t.Error(err)
			}
			lost := counted("dropped") + counted("failed")
			if counted("exported") != 0 || lost < room {
				t.Errorf("exported %v, failed %v, dropped %v", counted("exported"), counted("failed"), counted("dropped"))
			}
			said := map[string]int{}
			for _, e := range logs.All() {
				said[e.Message]++
			}
			for message, n := range said {
				if n > 1 {
					t.Errorf("%d times: %s", n, message)
				}
			}
			if len(said) == 0 || len(said) > 2 {
				t.Errorf("said %v", said)
			}
		})
	}
}

// counter reads belfry_trace_spans_total of one result.
func counter(t *testing.T, reg *prometheus.Registry, result string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "belfry_trace_spans_total" && m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no spans are counted as %s", result)
	return 0
}
