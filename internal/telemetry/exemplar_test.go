package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/belfry-push/belfry/internal/telemetry"
)

// A value of a trace that is kept names it, in OpenMetrics; any other value names none.
func TestObserve(t *testing.T) {
	t.Parallel()
	kept, not := telemetry.NewTraceParent(true), telemetry.NewTraceParent(false)
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(telemetry.Latency("x_seconds", "X.", 1, 2, 4))
	reg.MustRegister(h)
	telemetry.Observe(h, 0.5, kept)
	telemetry.Observe(h, 1.5, not)
	telemetry.Observe(h, 3, telemetry.TraceParent{})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, r)
	var with []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, " # {") {
			with = append(with, line)
		}
	}
	want := `x_seconds_bucket{le="1.0"} 1 # {trace_id="` + kept.String()[3:35] + `"} 0.5`
	if len(with) != 1 || !strings.HasPrefix(with[0], want) {
		t.Errorf("exemplars %q, want %s", with, want)
	}
	if !strings.Contains(w.Body.String(), "x_seconds_count 3") {
		t.Errorf("in\n%s", w.Body)
	}
}
