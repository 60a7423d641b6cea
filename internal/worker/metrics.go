package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of all workers of a process.
type Metrics struct {
	handled  *prometheus.CounterVec
	inFlight *prometheus.GaugeVec
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

// NewMetrics registers the workers' metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_queue_messages_total", Help: "Queue messages handled, by verdict.",
		}, []string{"queue", "verdict"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_queue_in_hand", Help: "Queue messages being handled now.",
		}, []string{"queue"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "belfry_queue_handle_seconds", Help: "Time from receive to verdict.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 14), // 1 ms .. 150 s
		}, []string{"queue"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_queue_errors_total", Help: "Calls to the queue that failed, by operation.",
		}, []string{"queue", "op"}),
	}
	reg.MustRegister(m.handled, m.inFlight, m.seconds, m.failures)
	return m
}

// verdictPutOff is the metrics' word for a message that no handler got, because its group
// had its share of the places.
const verdictPutOff = "put_off"

func (m *Metrics) start(queue string) {
	for _, k := range []kind{kindAck, kindRetry, kindDead, kindHandBack, kindDeadLetter, kindPass, kindLeave} {
		m.handled.WithLabelValues(queue, Verdict{kind: k}.String())
	}
	m.handled.WithLabelValues(queue, verdictPutOff)
	for _, op := range []string{"receive", "send", "delete", "extend"} {
		m.failures.WithLabelValues(queue, op)
	}
	m.inFlight.WithLabelValues(queue)
	m.seconds.WithLabelValues(queue)
}

func (m *Metrics) done(queue string, v Verdict, took time.Duration) {
	m.handled.WithLabelValues(queue, v.String()).Inc()
	m.seconds.WithLabelValues(queue).Observe(took.Seconds())
}

// InHand is the gauge of messages of a queue that are being handled now.
func (m *Metrics) InHand(queue string) prometheus.Gauge { return m.inFlight.WithLabelValues(queue) }
