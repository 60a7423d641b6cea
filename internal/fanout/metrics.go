package fanout

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Metrics count what planning decided.
type Metrics struct {
	chunks     prometheus.Counter
	recipients prometheus.Counter
	recalled   prometheus.Counter
	outcomes   *prometheus.CounterVec
}

// NewMetrics registers the room's metrics. outcomes is the counter of outcomes
// by class and code that all rooms share.
func NewMetrics(reg prometheus.Registerer, outcomes *prometheus.CounterVec) *Metrics {
	m := &Metrics{
		chunks:     prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_chunks_planned_total", Help: "Chunks planned."}),
		recipients: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_recipients_planned_total", Help: "Recipients planned."}),
		recalled: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_chunks_recalled_total", Help: "Chunks sent anew because their message was lost."},
		),
		outcomes: outcomes,
	}
	reg.MustRegister(m.chunks, m.recipients, m.recalled)
	return m
}

// plan counts the chunks that were planned at now; an earlier run has counted those that
// it had planned.
func (m *Metrics) plan(lines []ledger.Line, now time.Time) {
	for i := range lines {
		if !lines[i].UpdatedAt.Equal(now) {
			continue
		}
		m.chunks.Inc()
		m.recipients.Add(float64(len(lines[i].Cells)))
		for _, c := range lines[i].Cells {
			if code := c.Code(); code != push.CodeOpen {
				m.settled(code, 1)
			}
		}
	}
}

func (m *Metrics) settled(code push.Code, n int) {
	m.outcomes.WithLabelValues(code.Class().String(), code.String()).Add(float64(n))
}
