package device

import "github.com/prometheus/client_golang/prometheus"

// Metrics count registrations.
type Metrics struct {
	api      prometheus.Counter
	imported prometheus.Counter
	refused  prometheus.Counter
}

// NewMetrics registers the room's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	registered := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_devices_registered_total", Help: "Devices registered or renewed by their owners, by source.",
	}, []string{"source"})
	m := &Metrics{
		api:      registered.WithLabelValues("api"),
		imported: registered.WithLabelValues("import"),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_device_import_refused_lines_total", Help: "Lines of device imports that were refused.",
		}),
	}
	reg.MustRegister(registered, m.refused)
	return m
}
