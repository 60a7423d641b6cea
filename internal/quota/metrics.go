package quota

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
)

// What is done with what is over a quota.
const (
	outcomeRefused  = "refused"
	outcomeDeferred = "deferred"
)

// Metrics count what quotas do.
type Metrics struct {
	over      *prometheus.CounterVec
	unchecked prometheus.Counter
}

// NewMetrics registers the room's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		over: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_quota_over_total",
			Help: "Requests, notifications and uploads over a quota, by quota, and whether they were refused or deferred.",
		}, []string{"quota", "outcome"}),
		unchecked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_quota_unchecked_total",
			Help: "What was let through because the store of quotas could not be asked, nor a share of a minute ago be used.",
		}),
	}
	for _, q := range push.Quotas() {
		m.over.WithLabelValues(string(q), outcomeRefused)
		if q != push.QuotaRequests && q != push.QuotaKeyRequests {
			m.over.WithLabelValues(string(q), outcomeDeferred)
		}
	}
	reg.MustRegister(m.over, m.unchecked)
	return m
}
