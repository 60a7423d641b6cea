package outcome

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
)

// NewCounter registers the counter of outcomes by class and code, which fanout
// and deliver feed, with every pair of the taxonomy at zero.
func NewCounter(reg prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_outcomes_total", Help: "Deliveries that got their outcome, by class and code.",
	}, []string{"class", "code"})
	for _, f := range push.Codes() {
		if f.Terminal {
			c.WithLabelValues(f.Class.String(), f.Name)
		}
	}
	reg.MustRegister(c)
	return c
}

// Metrics count effects.
type Metrics struct {
	quarantined prometheus.Counter
	spared      prometheus.Counter
	raised      prometheus.Gauge
	unpublished prometheus.Counter
	recorded    prometheus.Counter
	dropped     prometheus.Counter
	waiting     prometheus.Gauge
}

// NewMetrics registers the room's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_devices_quarantined_total", Help: "Devices put in quarantine."}),
		spared: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_devices_spared_total", Help: "Answers that called an address " +
			"dead or invalid and did not quarantine because the mass-invalidation guard was up."}),
		raised: prometheus.NewGauge(
			prometheus.GaugeOpts{Name: "belfry_mass_invalidation", Help: "1 while the mass-invalidation guard is up: alert on it."},
		),
		unpublished: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_events_unpublished_total", Help: "Outgoing events that could not be published."},
		),
		recorded: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_device_notes_written_total", Help: "What sends learned about devices, written beside the sends."},
		),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_device_notes_dropped_total", Help: "What sends learned about " +
			"devices and was not remembered, because too much of it waited: the next send learns it again."}),
		waiting: prometheus.NewGauge(
			prometheus.GaugeOpts{Name: "belfry_device_notes_waiting", Help: "What sends learned about devices and is not written yet."},
		),
	}
	reg.MustRegister(m.quarantined, m.spared, m.raised, m.unpublished, m.recorded, m.dropped, m.waiting)
	return m
}

// wave shows the guard's state after a change.
func (m *Metrics) wave(changed bool, w *Wave) {
	if !changed {
		return
	}
	m.raised.Set(1)
	if w.Calm() {
		m.raised.Set(0)
	}
}
