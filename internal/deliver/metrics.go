package deliver

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
)

// Metrics count what deliver does; one set serves all lanes of a process.
type Metrics struct {
	outcomes *prometheus.CounterVec
	retries  prometheus.Counter
	toFCM    *prometheus.HistogramVec
}

// NewMetrics registers the room's metrics. outcomes is the counter of outcomes
// by class and code that all rooms share.
func NewMetrics(reg prometheus.Registerer, outcomes *prometheus.CounterVec) *Metrics {
	m := &Metrics{
		outcomes: outcomes,
		retries:  prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_retries_total", Help: "Recipients sent back to the queue for another attempt."}),
		toFCM: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "belfry_time_to_fcm_seconds", Help: "Time from acceptance to the first request, by priority.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 15), // 5 ms .. 30 min
		}, []string{"priority"}),
	}
	for _, p := range []push.Priority{push.PriorityHigh, push.PriorityNormal, push.PriorityBulk} {
		m.toFCM.WithLabelValues(string(p))
	}
	reg.MustRegister(m.retries, m.toFCM)
	return m
}

func (m *Metrics) outcome(code push.Code) {
	m.outcomes.WithLabelValues(code.Class().String(), code.String()).Inc()
}

func (m *Metrics) answered(n *push.Notification, r result, attempt int) {
	if attempt != 1 {
		return
	}
	from := n.AcceptedAt
	if !n.Progress.StartedAt.IsZero() {
		from = n.Progress.StartedAt
	}
	m.toFCM.WithLabelValues(string(n.Priority)).Observe(r.sentAt.Sub(from).Seconds())
}
