package janitor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what the janitor finds.
type Metrics struct {
	lost       *prometheus.CounterVec
	unfinished prometheus.Gauge
	held       prometheus.Gauge
	leading    prometheus.Gauge
	last       prometheus.Gauge
	failures   prometheus.Counter
}

// The values of the label what.
const (
	whatChunk   = "chunk"
	whatExpired = "expired_chunk"
	whatPage    = "page"
	whatRelease = "release"
	whatCheck   = "check"
	whatReplay  = "replayed_chunk"
)

// NewMetrics registers the room's metrics, with every kind of loss at zero.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_janitor_lost_total", Help: "What was found in the ledger without a queue message, by what it is: alert on it.",
		},
			[]string{"what"}),
		unfinished: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_notifications_unfinished", Help: "Notifications older than a " +
			"minute that are not finished, when the janitor last looked; only the process that is the janitor tells."}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_notifications_held", Help: "Of them, those that wait for an " +
			"operator because they are refused for everybody: resume or cancel."}),
		leading: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_janitor_leading", Help: "1 while this process is the janitor."}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_janitor_last_round_timestamp_seconds", Help: "When this process " +
			"last finished a round, in seconds since 1970: alert when the latest of all processes is old."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_janitor_failures_total", Help: "Rounds that failed."}),
	}
	reg.MustRegister(m.lost, m.unfinished, m.held, m.leading, m.last, m.failures)
	for _, what := range []string{whatChunk, whatExpired, whatPage, whatRelease, whatCheck, whatReplay} {
		m.lost.WithLabelValues(what)
	}
	return m
}

func (m *Metrics) leads(mine bool) {
	m.leading.Set(0)
	if mine {
		m.leading.Set(1)
	} else {
		m.unfinished.Set(0)
		m.held.Set(0)
	}
}

func (m *Metrics) asked(a *asks) {
	what := whatChunk
	if a.expire {
		what = whatExpired
	}
	m.lost.WithLabelValues(what).Add(float64(a.chunks))
	m.lost.WithLabelValues(whatPage).Add(float64(a.unplanned))
	if a.release {
		m.lost.WithLabelValues(whatRelease).Inc()
	}
	if a.check {
		m.lost.WithLabelValues(whatCheck).Inc()
	}
}

func (m *Metrics) round(f *Found, now time.Time, err error) {
	m.lost.WithLabelValues(whatReplay).Add(float64(f.Replayed))
	if err != nil {
		m.failures.Inc()
		return
	}
	m.unfinished.Set(float64(f.Unfinished))
	m.held.Set(float64(f.Held))
	m.last.Set(float64(now.UnixMilli()) / 1000)
}
