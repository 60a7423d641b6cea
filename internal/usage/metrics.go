package usage

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// shownTenants is how many tenants have series of their own: with a class each, 500 series.
const shownTenants = 50

// Metrics say how the books are kept, and what tenants used today. A nil *Metrics shows nothing.
type Metrics struct {
	taken prometheus.Counter
	last  prometheus.Gauge

	requests   *prometheus.GaugeVec
	recipients *prometheus.GaugeVec
	top        *telemetry.Top // a round's alone
	crowded    bool           // more tenants than have series were seen, and it was said; a round's alone
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
		requests: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_tenant_requests_today", Help: "Notifications and batches accepted since midnight UTC, by tenant: the 50 with the most, " +
				"and _other. Every ingest shows the sum of all, some minutes late.",
		}, []string{"tenant"}),
		recipients: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_tenant_recipients_today", Help: "Recipients of what was accepted since midnight UTC, by tenant as " +
				"belfry_tenant_requests_today and by class of outcome; open have none yet.",
		}, []string{"tenant", "class"}),
		top: telemetry.NewTop(shownTenants),
	}
	reg.MustRegister(m.taken, m.last, m.requests, m.recipients)
	m.set(telemetry.Other, &Sums{})
	return m
}

func (m *Metrics) walked(n int) {
	if m != nil {
		m.taken.Add(float64(n))
	}
}

// round shows what tenants used today, after a round over all of them. It says once if they are more than have series.
func (m *Metrics) round(now time.Time, today map[string]Sums, log *zap.Logger) {
	if m == nil {
		return
	}
	m.last.Set(float64(now.Unix()))
	if len(today) > shownTenants && !m.crowded {
		m.crowded = true
		log.Info("more tenants than metrics have series for: those with the least use are shown together, as _other",
			zap.Int("tenants", len(today)), zap.Int("shown", shownTenants))
	}
	use := make(map[string]int64, len(today))
	var other Sums
	for tenant, s := range today {
		use[tenant] = s.Requests + s.Recipients
		other = other.Plus(s)
	}
	shown, lost := m.top.Choose(use)
	for _, tenant := range lost {
		m.requests.DeleteLabelValues(tenant)
		m.recipients.DeletePartialMatch(prometheus.Labels{"tenant": tenant})
	}
	for _, tenant := range shown {
		s := today[tenant]
		other = other.Minus(s)
		m.set(tenant, &s)
	}
	m.set(telemetry.Other, &other)
}

func (m *Metrics) set(tenant string, s *Sums) {
	m.requests.WithLabelValues(tenant).Set(float64(s.Requests))
	for _, c := range push.Classes() {
		m.recipients.WithLabelValues(tenant, c.String()).Set(float64(s.ByClass[c]))
	}
}
