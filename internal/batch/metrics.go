package batch

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what uploads bring.
type Metrics struct {
	accepted prometheus.Counter
	refused  prometheus.Counter
	skipped  prometheus.Counter
	pages    prometheus.Counter
	adopted  prometheus.Counter

	duplicates prometheus.Counter
	reread     prometheus.Counter
}

// NewMetrics registers the room's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	lines := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_upload_lines_total",
		Help: "Upload lines that became durable (accepted, refused), or were passed over as blank or durable before (skipped).",
	}, []string{"result"})
	m := &Metrics{
		accepted: lines.WithLabelValues("accepted"),
		refused:  lines.WithLabelValues("refused"),
		skipped:  lines.WithLabelValues("skipped"),
		pages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_upload_pages_total", Help: "Upload pages stored and announced by their writer.",
		}),
		adopted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_upload_pages_adopted_total",
			Help: "Upload pages of another, broken off or concurrent, upload that were announced in its place.",
		}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_upload_duplicates_total", Help: "Accepted upload lines whose recipient an earlier line of the batch has named.",
		}),
		reread: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_upload_pages_reread_total",
			Help: "Stored upload pages read to look for duplicates, because another process wrote them or this one had forgotten them.",
		}),
	}
	reg.MustRegister(lines, m.pages, m.adopted, m.duplicates, m.reread)
	return m
}
