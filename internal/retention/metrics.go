package retention

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics say what was removed, and what could not be.
type Metrics struct {
	gone     *prometheus.CounterVec
	failures *prometheus.CounterVec
	held     *prometheus.GaugeVec
	last     prometheus.Gauge
}

// Why a notification that is past its retention is kept.
const (
	keptUnfinished = "unfinished"  // something of it is still to happen
	keptLetter     = "dead_letter" // the letter store has a letter of it
	keptUsage      = "usage"       // what it used is not in the books yet
	keptUndrained  = "undrained"   // a dead-letter queue has a message of it
)

// NewMetrics registers the room's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		gone: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_retention_removed_total", Help: "Records removed because they are past their retention, by what they are.",
		}, []string{"what"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_retention_failures_total", Help: "Sweeps that broke off, by what they remove; the next pass goes on.",
		}, []string{"what"}),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_retention_kept", Help: "Notifications that are past their retention and kept all the same, at the last pass, by why.",
		}, []string{"why"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_retention_last_pass_timestamp_seconds",
			Help: "When this process last finished a pass over everything that has a retention, in seconds since 1970.",
		}),
	}
	reg.MustRegister(m.gone, m.failures, m.held, m.last)
	for _, why := range []string{keptUnfinished, keptLetter, keptUndrained, keptUsage} {
		m.held.WithLabelValues(why)
	}
	return m
}

// begin has every kind at zero.
func (m *Metrics) begin(sweeps []Sweep) {
	for _, s := range sweeps {
		m.gone.WithLabelValues(s.What)
		m.failures.WithLabelValues(s.What)
	}
}

func (m *Metrics) removed(what string, n int) { m.gone.WithLabelValues(what).Add(float64(n)) }

func (m *Metrics) failed(what string) { m.failures.WithLabelValues(what).Inc() }

func (m *Metrics) kept(by map[string]int) {
	for _, why := range []string{keptUnfinished, keptLetter, keptUndrained, keptUsage} {
		m.held.WithLabelValues(why).Set(float64(by[why]))
	}
}

func (m *Metrics) passed(at time.Time) { m.last.Set(float64(at.UnixMilli()) / 1000) }
