package app

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// startJanitor looks after the ledger from every process that accepts: one of
// them at a time is the janitor of the deployment. It asks by tasks, so what it
// finds is mended wherever dispatchers run.
func (s *service) startJanitor(ctx context.Context, c config.Janitor) {
	gauges := map[string]worker.Gauge{}
	for _, name := range push.Queues() {
		gauges[name] = s.backend.queues[name]
	}
	j := janitor.New(janitor.Config{
		Ledger: s.backend.store, Documents: s.backend.store, Tasks: s.backend.queues[push.QueueNotifications], Queues: gauges,
		Events: s.backend.events, Source: "belfry", Owner: owner(), Late: c.Late, Visibility: s.backend.visibility,
		Log: s.log, Metrics: janitor.NewMetrics(s.reg), Now: s.now,
	})
	const grace = 5 * time.Second
	s.stack.background(ctx, "janitor", grace, j.Run)
}
