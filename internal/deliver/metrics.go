package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Metrics count what deliver does; one set serves all lanes of a process. The
// series are looked up once: there is an outcome for every send.
type Metrics struct {
	outcomes [128]prometheus.Counter // by code; nil for one that ends nothing
	retries  prometheus.Counter

	suspected prometheus.Counter
	brakes    *prometheus.CounterVec
	unsaved   prometheus.Counter
	written   prometheus.Histogram
	waits     *prometheus.HistogramVec
	toFCM     map[push.Priority]prometheus.Observer
	dwell     map[push.Priority]prometheus.Observer
}

// NewMetrics registers the room's metrics. outcomes is the counter of outcomes
// by class and code that all rooms share.
func NewMetrics(reg prometheus.Registerer, outcomes *prometheus.CounterVec) *Metrics {
	toFCM := prometheus.NewHistogramVec(telemetry.Latency("belfry_time_to_fcm_seconds",
		"Time from acceptance, or from the start of a batch, to the first request, by priority.",
		.005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 1800), []string{"priority"})
	dwell := prometheus.NewHistogramVec(telemetry.Latency("belfry_dwell_seconds",
		"Time from acceptance, or from the start of a batch, to the outcome of a delivery that was sent to FCM or given up, by priority.",
		.01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 21600, 86400), []string{"priority"})
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
		written: prometheus.NewHistogram(telemetry.Latency("belfry_checkpoint_seconds",
			"Time that a write of a chunk's line took, on whichever store.", .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10)),
		waits: toFCM, toFCM: map[push.Priority]prometheus.Observer{}, dwell: map[push.Priority]prometheus.Observer{},
	}
	for _, part := range push.Parts() {
		for _, f := range push.Codes() {
			if f.Blame.Shared() {
				m.brakes.WithLabelValues(part.String(), f.Name)
			}
		}
	}
	for _, p := range []push.Priority{push.PriorityHigh, push.PriorityNormal, push.PriorityBulk} {
		m.toFCM[p], m.dwell[p] = toFCM.WithLabelValues(string(p)), dwell.WithLabelValues(string(p))
	}
	for _, f := range push.Codes() {
		if f.Terminal {
			m.outcomes[f.Code] = outcomes.WithLabelValues(f.Class.String(), f.Name)
		}
	}
	reg.MustRegister(m.retries, m.suspected, m.brakes, m.unsaved, m.written, toFCM, dwell)
	return m
}

// TimeToFCM returns the histogram of the seconds to the first request of a notification, for whoever shows it elsewhere.
func (m *Metrics) TimeToFCM() prometheus.Collector { return m.waits }

func (m *Metrics) held(part push.Part, code push.Code) {
	m.brakes.WithLabelValues(part.String(), code.String()).Inc()
}

// outcome counts a delivery that has ended, and how long it took if it was for FCM to take: what was suppressed,
// cancelled or out of time says nothing of how fast Belfry is, nor does what an operator replays days later.
func (m *Metrics) outcome(j *job, code push.Code, at time.Time) {
	if c := m.outcomes[code]; c != nil {
		c.Inc()
	}
	if j.finished {
		return
	}
	switch code.Class() {
	case push.ClassSent, push.ClassPermanent, push.ClassAmbiguous, push.ClassDeadLettered:
		if h, ok := m.dwell[j.n.Priority]; ok {
			j.dwelt.observe(j, h, at.Sub(begun(j.n)).Seconds())
		}
	case push.ClassOpen, push.ClassRetryable, push.ClassSuppressed, push.ClassExpired, push.ClassCancelled:
	}
}

// begun is when a notification might first be sent.
func begun(n *push.Notification) time.Time {
	if !n.Progress.StartedAt.IsZero() {
		return n.Progress.StartedAt
	}
	return n.AcceptedAt
}

func (m *Metrics) answered(j *job, r result, attempt int) {
	if attempt != 1 || r.code.Unreached() {
		return
	}
	if h, ok := m.toFCM[j.n.Priority]; ok {
		j.reached.observe(j, h, r.sentAt.Sub(begun(j.n)).Seconds())
	}
}

// observed is the largest value of a turn so far that has its trace as an exemplar. A bucket
// shows its last one, so a few of a turn's hundreds do: the first, and what is longer by half.
type observed float64

// observe adds a value; it is the job's owner's.
func (o *observed) observe(j *job, h prometheus.Observer, seconds float64) {
	const longer = 1.5
	seconds = max(0, seconds) // a clock may have been set back
	if !j.span.Kept() || seconds <= longer*float64(*o) {
		h.Observe(seconds)
		return
	}
	*o = observed(seconds)
	telemetry.Observe(h, seconds, j.span.At())
}

// wrote returns a function that shows how long a write of a line took, and tells it to next.
func (m *Metrics) wrote(next func(took time.Duration)) func(took time.Duration) {
	return func(took time.Duration) {
		m.written.Observe(took.Seconds())
		next(took)
	}
}
