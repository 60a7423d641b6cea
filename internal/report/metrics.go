package report

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
)

// openState is where open recipients wait.
type openState string

const (
	openOutbox   openState = "outbox"   // recorded, and not on the queue yet
	openSending  openState = "sending"  // on a queue, or in a dispatcher's hands
	openDeferred openState = "deferred" // for a quota
	openPaused   openState = "paused"   // for a resume
	openHeld     openState = "held"     // for an operator: FCM refuses it for everybody
	openEnding   openState = "ending"   // cancelled or given up; its last recipients get their outcome
)

func openStates() []openState {
	return []openState{openOutbox, openSending, openDeferred, openPaused, openHeld, openEnding}
}

func openStateOf(n *push.Notification) openState {
	switch n.Progress.State {
	case push.StateCancelled, push.StateDeadLettered:
		return openEnding
	case push.StatePaused:
		return openPaused
	case push.StateHeld:
		return openHeld
	case push.StateAccepted, push.StateSending, push.StateUploading, push.StateCompleted:
	}
	switch {
	case n.Progress.Held.Any():
		return openHeld
	case n.Deferred:
		return openDeferred
	default:
		return openSending
	}
}

// openSums are the sums of a pass.
type openSums struct {
	states  map[openState]*openPart
	batches progress
}

type openPart struct {
	recipients, notifications int64
	oldest                    time.Time // when it was accepted, or its batch started; zero for none
}

// progress is how far recipients have come.
type progress struct {
	unplanned int64 // in no chunk yet
	open      int64 // in a chunk, without an outcome
	done      int64 // with an outcome
}

func newOpenSums() openSums {
	s := openSums{states: map[openState]*openPart{}}
	for _, state := range openStates() {
		s.states[state] = &openPart{}
	}
	return s
}

func (s *openSums) add(state openState, n *push.Notification, far progress) {
	p := s.states[state]
	p.recipients += far.unplanned + far.open
	p.notifications++
	at := n.AcceptedAt
	if !n.Progress.StartedAt.IsZero() {
		at = n.Progress.StartedAt
	}
	if p.oldest.IsZero() || at.Before(p.oldest) {
		p.oldest = at
	}
	if n.ID.IsBatch() {
		s.batches.unplanned += far.unplanned
		s.batches.open += far.open
		s.batches.done += far.done
	}
}

// OpenMetrics show what is open, read from memory at a scrape. Safe for concurrent use.
type OpenMetrics struct {
	now                               func() time.Time
	failures                          prometheus.Counter
	recipients, notifications, oldest *prometheus.Desc
	last, batches                     *prometheus.Desc

	mu    sync.Mutex
	shown openSums // of the last whole pass, or more
	at    time.Time
}

var _ prometheus.Collector = (*OpenMetrics)(nil)

// NewOpenMetrics registers the gauges, all at zero. Every process that accepts shows the same: take the greatest, not the sum.
func NewOpenMetrics(reg prometheus.Registerer, now func() time.Time) *OpenMetrics {
	state := []string{"state"}
	m := &OpenMetrics{
		now: now,
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_open_failures_total", Help: "Looks at what is open that failed; meanwhile its gauges stay as they were.",
		}),
		recipients: prometheus.NewDesc("belfry_open_recipients",
			"Recipients without an outcome, by where they wait. All processes that accept show the same: take the greatest.", state, nil),
		notifications: prometheus.NewDesc("belfry_open_notifications",
			"Notifications and batches that are not finished, as belfry_open_recipients.", state, nil),
		oldest: prometheus.NewDesc("belfry_open_oldest_age_seconds",
			"How long ago the oldest of them was accepted, or started; 0 if there is none.", state, nil),
		batches: prometheus.NewDesc("belfry_batch_progress_recipients",
			"Recipients of batches that are started and not finished, by how far they are: unplanned, open or done. "+
				"As belfry_open_recipients.", state, nil),
		last: prometheus.NewDesc("belfry_open_last_pass_timestamp_seconds",
			"When this process last went over all that is open, in seconds since 1970; 0 before the first time.", nil, nil),
		shown: newOpenSums(),
	}
	reg.MustRegister(m, m.failures)
	return m
}

// Describe implements [prometheus.Collector].
func (m *OpenMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.recipients
	ch <- m.notifications
	ch <- m.oldest
	ch <- m.last
	ch <- m.batches
}

// Collect implements [prometheus.Collector]. Ages grow between two passes.
func (m *OpenMetrics) Collect(ch chan<- prometheus.Metric) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for state, p := range m.shown.states {
		age := 0.0
		if !p.oldest.IsZero() {
			age = max(0, now.Sub(p.oldest).Seconds())
		}
		ch <- prometheus.MustNewConstMetric(m.recipients, prometheus.GaugeValue, float64(p.recipients), string(state))
		ch <- prometheus.MustNewConstMetric(m.notifications, prometheus.GaugeValue, float64(p.notifications), string(state))
		ch <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, age, string(state))
	}
	b := m.shown.batches
	for state, n := range map[string]int64{"unplanned": b.unplanned, "open": b.open, "done": b.done} {
		ch <- prometheus.MustNewConstMetric(m.batches, prometheus.GaugeValue, float64(n), state)
	}
	at := 0.0
	if !m.at.IsZero() {
		at = float64(m.at.Unix())
	}
	ch <- prometheus.MustNewConstMetric(m.last, prometheus.GaugeValue, at)
}

// soFar shows the sums of a pass that is not over where they are more than what is shown: what waits is never shown as nothing
// because there is much of it.
func (m *OpenMetrics) soFar(s openSums) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for state, p := range s.states {
		shown := m.shown.states[state]
		shown.recipients, shown.notifications = max(shown.recipients, p.recipients), max(shown.notifications, p.notifications)
		if shown.oldest.IsZero() {
			shown.oldest = p.oldest
		}
	}
	b := &m.shown.batches
	b.unplanned, b.open, b.done = max(b.unplanned, s.batches.unplanned), max(b.open, s.batches.open), max(b.done, s.batches.done)
}

// whole shows the sums of a pass.
func (m *OpenMetrics) whole(s openSums, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown, m.at = s, at
}
