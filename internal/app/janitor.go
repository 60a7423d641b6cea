package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/worker"
)

// startJanitor looks after the ledger from every process that accepts: one of
// them at a time is the janitor of the deployment. It asks by tasks, so what it
// finds is mended wherever dispatchers run.
func (s *service) startJanitor(ctx context.Context, c config.Janitor, replays *replay.Room) error {
	ended, err := s.ended()
	if err != nil {
		return err
	}
	gauges := map[string]worker.Gauge{}
	for _, name := range push.Queues() {
		gauges[name] = s.backend.queues[name]
	}
	j := janitor.New(janitor.Config{
		Ledger: s.backend.store, Documents: s.backend.store, Tasks: s.backend.queues[push.QueueNotifications], Queues: gauges,
		Replays: replays.NewReconciler(ended),
		Events:  s.backend.events, Source: "belfry", Owner: owner(), Late: c.Late, Visibility: s.backend.visibility,
		Log: s.log, Metrics: janitor.NewMetrics(s.reg), Now: s.now,
	})
	const grace = 5 * time.Second
	s.stack.background(ctx, "janitor", grace, j.Run)
	return nil
}

// ended counts and tells the outcomes of lines that the janitor ends itself. A
// dispatcher in the same process has its own metrics of effects; an end like this
// has none but its event.
func (s *service) ended() (replay.Ended, error) {
	outcomes, err := s.newOutcomes(prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, n *push.Notification, was, now *ledger.Line) {
		for i, c := range was.Cells {
			if c.Open() {
				code := now.Cells[i].Code()
				s.outcomes.WithLabelValues(code.Class().String(), code.String()).Inc()
			}
		}
		outcomes.Settled(ctx, n, now, nil)
	}, nil
}
