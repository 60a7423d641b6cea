package replay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/replay/predict"
)

// Metrics count what replays do.
type Metrics struct {
	examined  *prometheus.CounterVec
	refailed  prometheus.Counter
	executing prometheus.Gauge

	open    *prometheus.GaugeVec // replays, by state
	letters *prometheus.GaugeVec // of those, by how far they are
}

// NewMetrics registers the room's metrics, with every prediction at zero. The gauges of the replays that have not ended are
// not among them: see [Room.ShowOpen].
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		examined: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_replay_letters_total", Help: "Letters that replays came upon, by what was found: sent again, or why not.",
		},
			[]string{"prediction"}),
		refailed: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "belfry_replay_refailed_total", Help: "Replayed letters that failed again."},
		),
		executing: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_replays_executing", Help: "Replays that this process executes now."}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_replays_open", Help: "Replays that have not ended, by state: running, paused, or stopped, which waits for an " +
				"operator. All processes show the same, some seconds apart: take the greatest.",
		}, []string{"state"}),
		letters: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_replay_progress_letters", Help: "Letters of the replays that have not ended, by how far they are: left (not sent again, " +
				"or passed over), sent (no outcome yet), done. As belfry_replays_open.",
		}, []string{"state"}),
	}
	reg.MustRegister(m.examined, m.refailed, m.executing)
	for _, p := range predict.Predictions() {
		m.examined.WithLabelValues(string(p))
	}
	m.show(nil, far{})
	return m
}

// show sets the gauges of the replays that have not ended.
func (m *Metrics) show(states map[RunState]int, f far) {
	for state := range runMoves {
		if !state.Final() {
			m.open.WithLabelValues(string(state)).Set(float64(states[state]))
		}
	}
	for state, n := range map[string]int64{"left": f.left, "sent": f.sent, "done": f.done} {
		m.letters.WithLabelValues(state).Set(float64(n))
	}
}

// ShowOpen registers the gauges of the replays that have not ended, with every state at zero. It is for a process that
// calls [Room.Execute], which brings them up to date: in another they would say for ever that there are none.
func (r *Room) ShowOpen(reg prometheus.Registerer) {
	reg.MustRegister(r.cfg.Metrics.open, r.cfg.Metrics.letters)
}
