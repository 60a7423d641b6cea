package usage

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics say how the books are kept. A nil *Metrics counts nothing.
type Metrics struct {
	taken prometheus.Counter
	last  prometheus.Gauge
}

// NewMetrics registers the room's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		taken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_usage_taken_total", Help: "Notifications that this process has put into the books of usage.",
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_usage_last_round_timestamp_seconds",
			Help: "When this process last finished a round over the books of all tenants, in seconds since 1970.",
		}),
	}
	reg.MustRegister(m.taken, m.last)
	return m
}

func (m *Metrics) walked(n int) {
	if m != nil {
		m.taken.Add(float64(n))
	}
}

func (m *Metrics) passed(now time.Time) {
	if m != nil {
		m.last.Set(float64(now.Unix()))
	}
}
