package ingester

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/app"
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
func startJanitor(ctx context.Context, s *app.Service, c config.Janitor, replays *replay.Room) error {
	ended, err := ended(s)
	if err != nil {
		return err
	}
	gauges := map[string]worker.Gauge{}
	for _, name := range push.Queues() {
		gauges[name] = s.Backend.Queues[name]
	}
	j := janitor.New(janitor.Config{
		Ledger: s.Backend.Store, Documents: s.Backend.Store, Tasks: s.Backend.Queues[push.QueueNotifications], Queues: gauges,
		Replays: replays.NewReconciler(ended),
		Events:  s.Backend.Events, Source: "belfry", Owner: app.Owner(), Late: c.Late, Visibility: s.Backend.Visibility,
		Log: s.Log, Metrics: janitor.NewMetrics(s.Reg), Now: s.Now,
	})
	const grace = 5 * time.Second
	s.Stack.Background(ctx, "janitor", grace, j.Run)
	return nil
}

// ended counts and tells the outcomes of lines that the janitor ends itself. A
// dispatcher in the same process has its own metrics of effects; an end like this
// has none but its event.
func ended(s *app.Service) (replay.Ended, error) {
	outcomes, err := s.NewOutcomes(prometheus.NewRegistry(), false) // it sends nothing, so it learns nothing
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, n *push.Notification, was, now *ledger.Line) {
		for i, c := range was.Cells {
			if c.Open() {
				code := now.Cells[i].Code()
				s.Outcomes.WithLabelValues(code.Class().String(), code.String()).Inc()
			}
		}
		outcomes.Settled(ctx, n, now, nil)
	}, nil
}
