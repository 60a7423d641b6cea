package telemetry

import (
	"encoding/hex"

	"github.com/prometheus/client_golang/prometheus"
)

// TraceLabel is the label of an exemplar that names its trace, as Grafana and others look for it.
const TraceLabel = "trace_id"

// Observe adds a value to a histogram, with a trace as its exemplar if that is sampled: so
// that a dot on a dashboard leads to what was slow. It shows in the OpenMetrics format.
func Observe(o prometheus.Observer, value float64, at TraceParent) {
	e, ok := o.(prometheus.ExemplarObserver)
	if !ok || !at.Valid() || !at.Sampled() {
		o.Observe(value)
		return
	}
	e.ObserveWithExemplar(value, prometheus.Labels{TraceLabel: hex.EncodeToString(at.TraceID[:])})
}
