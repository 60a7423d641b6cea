package pause

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Whose pauses are, as metrics tell them apart. The set is closed.
const (
	ownerOperator = "operator"
	ownerTenant   = "tenant"
)

// shown shows the pauses that a process knows of when it is asked.
type shown struct {
	pauses   *Pauses
	standing *prometheus.Desc
	oldest   *prometheus.Desc
}

// Show registers the room's metrics: how many pauses stand and how old the oldest is, so that nobody forgets one.
func (p *Pauses) Show(reg prometheus.Registerer) {
	labels := []string{"owner"}
	reg.MustRegister(&shown{
		pauses: p,
		standing: prometheus.NewDesc("belfry_pauses",
			"Pauses that stand, by whose they are: the operator's, or a tenant's own. All processes show the same: take the greatest.", labels, nil),
		oldest: prometheus.NewDesc("belfry_pause_oldest_age_seconds",
			"Age of the oldest pause that stands, by whose it is; 0 if there is none. All processes show the same: take the greatest.", labels, nil),
	})
}

// Describe implements [prometheus.Collector].
func (s *shown) Describe(to chan<- *prometheus.Desc) {
	to <- s.standing
	to <- s.oldest
}

// Collect implements [prometheus.Collector].
func (s *shown) Collect(to chan<- prometheus.Metric) {
	all, now := s.pauses.Known(), s.pauses.now()
	for _, owner := range []string{ownerOperator, ownerTenant} {
		n, oldest := 0, time.Duration(0)
		for i := range all {
			if all[i].Operator == (owner == ownerOperator) {
				n, oldest = n+1, max(oldest, now.Sub(all[i].Since))
			}
		}
		to <- prometheus.MustNewConstMetric(s.standing, prometheus.GaugeValue, float64(n), owner)
		to <- prometheus.MustNewConstMetric(s.oldest, prometheus.GaugeValue, oldest.Seconds(), owner)
	}
}
