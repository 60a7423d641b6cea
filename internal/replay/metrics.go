package replay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/replay/predict"
)

// Metrics count what replays do.
type Metrics struct {
	examined  *prometheus.CounterVec
	refailed  prometheus.Counter
	executing prometheus.Gauge
}

// NewMetrics registers the room's metrics, with every prediction at zero.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		examined: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_replay_letters_total", Help: "Letters that replays came upon, by what was found: sent again, or why not.",
		},
			[]string{"prediction"}),
		refailed: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_replay_refailed_total", Help: "Replayed letters that failed again."},
		),
		executing: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_replays_executing", Help: "Replays that this process executes now."}),
	}
	reg.MustRegister(m.examined, m.refailed, m.executing)
	for _, p := range predict.Predictions() {
		m.examined.WithLabelValues(string(p))
	}
	return m
}
