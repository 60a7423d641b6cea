package ingest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Metrics count what comes through the doors.
type Metrics struct {
	accepted      *prometheus.CounterVec
	took          prometheus.Histogram
	refused       prometheus.Counter
	deferred      prometheus.Counter
	enqueueErrors prometheus.Counter
}

// NewMetrics registers the room's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_accepted_total", Help: "Notifications and batches accepted, by priority.",
		}, []string{"priority"}),
		took: prometheus.NewHistogram(telemetry.Latency("belfry_accept_seconds",
			"Time from reading a request or event to its record being durable, of those that were accepted.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10)),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_refused_total", Help: "Requests refused as invalid."}),
		deferred: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_outbox_deferred_total", Help: "Notifications left to the sweeper because the outbox was full."},
		),
		enqueueErrors: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_outbox_errors_total", Help: "Batches that the notifications queue did not take."},
		),
	}
	for _, p := range []push.Priority{push.PriorityHigh, push.PriorityNormal, push.PriorityBulk} {
		m.accepted.WithLabelValues(string(p))
	}
	reg.MustRegister(m.accepted, m.took, m.refused, m.deferred, m.enqueueErrors)
	return m
}

func (m *Metrics) accept(n *push.Notification, took time.Duration) {
	m.accepted.WithLabelValues(string(n.Priority)).Inc()
	at, _ := telemetry.ParseTraceParent(n.TraceParent)    // zero if there is none
	telemetry.Observe(m.took, max(0, took.Seconds()), at) // a clock may have been set back
}

// Accepted is the counter of what was accepted.
func (m *Metrics) Accepted() prometheus.Collector { return m.accepted }
