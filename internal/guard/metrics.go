package guard

import (
	"fmt"
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Metrics shows the guards of a process. What can be asked of a guard is asked
// when metrics are collected, so it costs the guards nothing and is never
// stale. It is safe for concurrent use.
type Metrics struct {
	state     *prometheus.Desc
	forced    *prometheus.Desc
	pace      *prometheus.Desc
	share     *prometheus.Desc
	stale     *prometheus.Desc
	held      *prometheus.Desc
	throttle  *prometheus.Desc
	budget    *prometheus.Desc
	inFlight  *prometheus.Desc
	deferrals *prometheus.CounterVec

	mu     sync.Mutex
	said   bool              // that there are more guards than labels
	guards map[string]*Guard // by credential
	labels map[*Guard]string // the credential, or otherLabel
}

// What bounds the series: so many guards at a time have their credential as label, those that
// came first. The others are summed up under otherLabel, which no project is called.
const (
	mostLabels = 50
	otherLabel = "other"
)

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
			"1 for the state that the credential's circuit breaker is in, 0 for the others; of other: how many are in it.",
			[]string{"credential", "state"}, nil),
		forced: prometheus.NewDesc("belfry_breaker_forced",
			"1 while an operator holds the credential's circuit breaker in that state; of other: how many are held in it.",
			[]string{"credential", "state"}, nil),
		pace: prometheus.NewDesc("belfry_fcm_pace_per_second",
			"Requests to FCM that the credential's pace allows per second now; 0 during a pause.", credential, nil),
		share: prometheus.NewDesc("belfry_fcm_quota_share_per_second",
			"Requests to FCM per second that this process may count on of the project's quota, which all dispatchers share.", credential, nil),
		stale: prometheus.NewDesc("belfry_fcm_quota_share_stale",
			"1 while the shared quota cannot be asked for and that share is what was known last.", credential, nil),
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
		guards: map[string]*Guard{}, labels: map[*Guard]string{},
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.state
	ch <- m.forced
	ch <- m.pace
	ch <- m.share
	ch <- m.stale
	ch <- m.held
	ch <- m.throttle
	ch <- m.budget
	ch <- m.inFlight
	m.deferrals.Describe(ch)
}

// sums are what a label shows: of one guard, or of several together.
type sums struct {
	states, forced         map[BreakerState]float64
	held, throttle         [kinds]float64
	pace, budget, inFlight float64
	share, stale           float64
}

func (s *sums) add(st *State) {
	s.states[st.Breaker]++
	if st.Override != (Override{}) {
		s.forced[st.Override.State]++
	}
	for t, ts := range st.Traffic {
		if ts.Breaker != BreakerClosed {
			s.held[t]++
		}
		s.throttle[t] += ts.Throttle
	}
	s.pace += st.Pace
	s.share += st.Share
	if st.ShareStale {
		s.stale++
	}
	s.budget += st.Budget
	s.inFlight += float64(st.InFlight)
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	all := map[string]*sums{}
	for g, label := range m.all() {
		if all[label] == nil {
			all[label] = &sums{states: map[BreakerState]float64{}, forced: map[BreakerState]float64{}}
		}
		s := g.State()
		all[label].add(&s)
	}
	for label, s := range all {
		for _, state := range BreakerStates() {
			ch <- gauge(m.state, s.states[state], label, state.String())
		}
		for _, state := range []BreakerState{BreakerClosed, BreakerOpen} {
			ch <- gauge(m.forced, s.forced[state], label, state.String())
		}
		for _, t := range Traffics() {
			ch <- gauge(m.held, s.held[t], label, t.String())
			ch <- gauge(m.throttle, s.throttle[t], label, t.String())
		}
		ch <- gauge(m.pace, s.pace, label)
		ch <- gauge(m.share, s.share, label)
		ch <- gauge(m.stale, s.stale, label)
		ch <- gauge(m.budget, s.budget, label)
		ch <- gauge(m.inFlight, s.inFlight, label)
	}
	m.deferrals.Collect(ch)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...) // fails for a wrong number of labels only
}

// all copies the guards with their labels: State takes their locks, so ours is not held meanwhile.
func (m *Metrics) all() map[*Guard]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.labels)
}

// add shows g from now on and gives it its counters. The first guard that gets no label of its own says so.
func (m *Metrics) add(g *Guard) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := g.cfg.Credential
	if _, taken := m.guards[name]; taken {
		return fmt.Errorf("guard of %q: there is one already", name)
	}
	m.guards[name] = g
	label := name
	if m.labelled() >= mostLabels {
		label = otherLabel
		if !m.said {
			m.said = true
			g.log.Info("more credentials than metrics have series for: those that came last are shown together, as other",
				zap.Int("shown", mostLabels))
		}
	}
	m.labels[g] = label
	for _, w := range Whys() {
		g.deferrals[w] = m.deferrals.WithLabelValues(label, w.String())
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
	if m.labels[g] != otherLabel {
		m.deferrals.DeletePartialMatch(prometheus.Labels{"credential": name})
	}
	delete(m.labels, g)
}

// labelled returns how many guards have a label of their own. The lock is held.
func (m *Metrics) labelled() (n int) {
	for _, label := range m.labels {
		if label != otherLabel {
			n++
		}
	}
	return n
}
