package deliver

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
)

// Metrics count what deliver does; one set serves all lanes of a process. The
// series are looked up once: there is an outcome for every send.
type Metrics struct {
	outcomes [128]prometheus.Counter // by code; nil for one that ends nothing
	retries  prometheus.Counter

	suspected prometheus.Counter
	brakes    *prometheus.CounterVec
	unsaved   prometheus.Counter
	toFCM     map[push.Priority]prometheus.Observer
}

// NewMetrics registers the room's metrics. outcomes is the counter of outcomes
// by class and code that all rooms share.
func NewMetrics(reg prometheus.Registerer, outcomes *prometheus.CounterVec) *Metrics {
	toFCM := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "belfry_time_to_fcm_seconds", Help: "Time from acceptance to the first request, by priority.",
		Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 15), // 5 ms .. 30 min
	}, []string{"priority"})
	m := &Metrics{
		retries: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_retries_total", Help: "Recipients sent back to the queue for another attempt."},
		),
		suspected: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_suspected_chunks_total", Help: "Claims of chunks over which workers died again and again."},
		),
		unsaved: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_checkpoint_failures_total", Help: "Writes of a chunk's line that " +
			"the ledger did not take, or did not confirm; each is tried again."}),
		brakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_brake_total",
			Help: "Parts of notifications that were held because they are refused for everybody, by platform and code: alert on it.",
		},
			[]string{"platform", "code"}),
		toFCM: map[push.Priority]prometheus.Observer{},
	}
	for _, part := range push.Parts() {
		for _, f := range push.Codes() {
			if f.Blame.Shared() {
				m.brakes.WithLabelValues(part.String(), f.Name)
			}
		}
	}
	for _, p := range []push.Priority{push.PriorityHigh, push.PriorityNormal, push.PriorityBulk} {
		m.toFCM[p] = toFCM.WithLabelValues(string(p))
	}
	for _, f := range push.Codes() {
		if f.Terminal {
			m.outcomes[f.Code] = outcomes.WithLabelValues(f.Class.String(), f.Name)
		}
	}
	reg.MustRegister(m.retries, m.suspected, m.brakes, m.unsaved, toFCM)
	return m
}

func (m *Metrics) held(part push.Part, code push.Code) {
	m.brakes.WithLabelValues(part.String(), code.String()).Inc()
}

func (m *Metrics) outcome(code push.Code) {
	if c := m.outcomes[code]; c != nil {
		c.Inc()
	}
}

func (m *Metrics) answered(n *push.Notification, r result, attempt int) {
	if attempt != 1 || r.code.Unreached() {
		return
	}
	from := n.AcceptedAt
	if !n.Progress.StartedAt.IsZero() {
		from = n.Progress.StartedAt
	}
	if h, ok := m.toFCM[n.Priority]; ok {
		h.Observe(r.sentAt.Sub(from).Seconds())
	}
}
