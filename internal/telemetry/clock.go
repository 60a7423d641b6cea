package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
)

// ClockWatch notices when the wall clock is set while the process runs. No
// duration in Belfry depends on that, but deadlines and the times in reports do,
// so whoever reads those should know.
type ClockWatch struct {
	now     func() time.Time
	elapsed func() time.Duration
	log     *zap.Logger
	steps   *prometheus.CounterVec
}

// NewClockWatch registers belfry_clock_steps_total. now is the wall clock and
// elapsed a monotonic one.
func NewClockWatch(now func() time.Time, elapsed func() time.Duration, reg prometheus.Registerer, log *zap.Logger) *ClockWatch {
	steps := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_clock_steps_total",
		Help: "Times that the wall clock was set by half a second or more, by direction; a machine that slept counts as forward.",
	}, []string{"direction"})
	for _, direction := range []string{forward, backward} {
		steps.WithLabelValues(direction)
	}
	reg.MustRegister(steps)
	return &ClockWatch{now: now, elapsed: elapsed, log: log, steps: steps}
}

const (
	forward  = "forward"
	backward = "backward"
	// clockEvery is how often the clocks are compared.
	clockEvery = time.Second
)

// Run watches until ctx ends. Each step is logged once, with its size.
func (w *ClockWatch) Run(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	var steps clock.Steps
	for {
		if by := steps.Look(clock.Moment{Wall: w.now(), Elapsed: w.elapsed()}); by != 0 {
			direction := forward
			if by < 0 {
				direction = backward
			}
			w.steps.WithLabelValues(direction).Inc()
			w.log.Warn("the wall clock was set, or the machine slept: deadlines and reported times have moved, durations have not",
				zap.Duration("step", by.Round(time.Millisecond)))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
