package letters

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
)

// Metrics count what happens to dead letters.
type Metrics struct {
	stored        *prometheus.CounterVec
	drainFailures prometheus.Counter
	discarded     prometheus.Counter
	letters       *prometheus.GaugeVec
	expiring      prometheus.Gauge
}

// NewMetrics registers the room's metrics, with every queue at zero. The gauges of what is in the store are not among them: see
// [Metrics.ShowStore].
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		stored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_dead_letters_stored_total", Help: "Dead letters moved from dead-letter queues into the store, by source queue.",
		},
			[]string{"queue"}),
		drainFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_dead_letters_drain_failures_total", Help: "Batches of a " +
			"dead-letter queue that could not be stored and will come again."}),
		discarded: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_dead_letters_discarded_total", Help: "Letters given up, by an operator or by retention."},
		),
		letters: prometheus.NewGaugeVec(
			prometheus.GaugeOpts{Name: "belfry_dead_letters", Help: "Letters in the store, by state, when retention last looked."},
			[]string{"state"}),
		expiring: prometheus.NewGauge(
			prometheus.GaugeOpts{Name: "belfry_dead_letters_expiring", Help: "Parked letters that retention will soon give up: alert on it."},
		),
	}
	reg.MustRegister(m.stored, m.drainFailures, m.discarded)
	for _, q := range push.Queues() {
		m.stored.WithLabelValues(q)
	}
	for _, s := range push.LetterStates() {
		m.letters.WithLabelValues(string(s))
	}
	return m
}

// ShowStore registers the gauges of what is in the store, with every state at zero. It is for a process that applies
// retention, which is when they are brought up to date: in another they would say for ever that there are no letters.
func (m *Metrics) ShowStore(reg prometheus.Registerer) { reg.MustRegister(m.letters, m.expiring) }
