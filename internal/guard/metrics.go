package guard

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics shows the guards of a process. What can be asked of a guard is asked
// when metrics are collected, so it costs the guards nothing and is never
// stale. It is safe for concurrent use.
type Metrics struct {
	state     *prometheus.Desc
	pace      *prometheus.Desc
	held      *prometheus.Desc
	throttle  *prometheus.Desc
	budget    *prometheus.Desc
	inFlight  *prometheus.Desc
	deferrals *prometheus.CounterVec

	mu     sync.Mutex
	guards map[string]*Guard // by credential
}

var _ prometheus.Collector = (*Metrics)(nil)

// NewMetrics registers the metrics of guards with reg. It fails if they are
// registered there already.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := newMetrics()
	if err := reg.Register(m); err != nil {
		return nil, fmt.Errorf("guard metrics: %w", err)
	}
	return m, nil
}

func newMetrics() *Metrics {
	credential := []string{"credential"}
	return &Metrics{
		state: prometheus.NewDesc("belfry_breaker_state",
			"1 for the state that the credential's circuit breaker is in, 0 for the others.", []string{"credential", "state"}, nil),
		pace: prometheus.NewDesc("belfry_fcm_pace_per_second",
			"Requests to FCM that the credential's pace allows per second now; 0 during a pause.", credential, nil),
		held: prometheus.NewDesc("belfry_traffic_held",
			"1 while the breaker holds that kind of traffic back, or lets only probes of it through.", []string{"credential", "traffic"}, nil),
		throttle: prometheus.NewDesc("belfry_fcm_throttle_per_second",
			"Requests of that kind of traffic per second that a sick share of the answers leaves; the full pace if it leaves all.", []string{
				"credential", "traffic",
			}, nil),
		budget: prometheus.NewDesc("belfry_fcm_retry_budget",
			"Retries that the credential may make at once.", credential, nil),
		inFlight: prometheus.NewDesc("belfry_fcm_admitted_requests",
			"Requests to FCM that were admitted and have not ended.", credential, nil),
		deferrals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_deferrals_total",
			Help: "Requests to FCM that were put off, by the mechanism that refused them.",
		}, []string{"credential", "why"}),
		guards: map[string]*Guard{},
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.state
	ch <- m.pace
	ch <- m.held
	ch <- m.throttle
	ch <- m.budget
	ch <- m.inFlight
	m.deferrals.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, g := range m.all() {
		s := g.State()
		for _, state := range BreakerStates() {
			var is float64
			if s.Breaker == state {
				is = 1
			}
			ch <- gauge(m.state, is, s.Credential, state.String())
		}
		for _, t := range Traffics() {
			ts := s.Traffic[t]
			var held float64
			if ts.Breaker != BreakerClosed {
				held = 1
			}
			ch <- gauge(m.held, held, s.Credential, t.String())
			ch <- gauge(m.throttle, ts.Throttle, s.Credential, t.String())
		}
		ch <- gauge(m.pace, s.Pace, s.Credential)
		ch <- gauge(m.budget, s.Budget, s.Credential)
		ch <- gauge(m.inFlight, float64(s.InFlight), s.Credential)
	}
	m.deferrals.Collect(ch)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...) // fails for a wrong number of labels only
}

// all copies the guards: State takes their locks, so ours is not held meanwhile.
func (m *Metrics) all() []*Guard {
	m.mu.Lock()
	defer m.mu.Unlock()
	gs := make([]*Guard, 0, len(m.guards))
	for _, g := range m.guards {
		gs = append(gs, g)
	}
	return gs
}

// add shows g from now on and gives it its counters.
func (m *Metrics) add(g *Guard) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := g.cfg.Credential
	if _, taken := m.guards[name]; taken {
		return fmt.Errorf("guard of %q: there is one already", name)
	}
	m.guards[name] = g
	for _, w := range Whys() {
		g.deferrals[w] = m.deferrals.WithLabelValues(name, w.String())
	}
	return nil
}

func (m *Metrics) remove(g *Guard) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := g.cfg.Credential
	if m.guards[name] != g {
		return
	}
	delete(m.guards, name)
	m.deferrals.DeletePartialMatch(prometheus.Labels{"credential": name})
}
