package door

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what comes through the door. Their labels are the closed sets
// of the table of routes.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	byRoute  map[*Route]routeMetrics // read-only after newMetrics
}

type routeMetrics struct {
	duration prometheus.Observer
	byStatus map[int]prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, routes []*Route) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_http_requests_total",
			Help: "HTTP requests answered; 499 is a client that hung up before.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "belfry_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer; an upload's body takes part in it.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120},
		}, []string{"route", "method"}),
		byRoute: map[*Route]routeMetrics{},
	}
	for _, rt := range routes {
		rm := routeMetrics{duration: m.duration.WithLabelValues(rt.Path, rt.Method), byStatus: map[int]prometheus.Counter{}}
		for _, status := range rt.statuses() {
			rm.byStatus[status] = m.counter(rt, status)
		}
		m.byRoute[rt] = rm
	}
	if err := errors.Join(reg.Register(m.requests), reg.Register(m.duration)); err != nil {
		return nil, fmt.Errorf("http metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) counter(rt *Route, status int) prometheus.Counter {
	return m.requests.WithLabelValues(rt.Path, rt.Method, strconv.Itoa(status))
}

func (m *metrics) observe(rt *Route, status int, took time.Duration) {
	rm := m.byRoute[rt]
	rm.duration.Observe(took.Seconds())
	c, ok := rm.byStatus[status]
	if !ok {
		c = m.counter(rt, status) // hung up, or a status that net/http chose
	}
	c.Inc()
}
