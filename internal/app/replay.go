package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// newReplay builds the dead-letter room on an open backend.
func newReplay(b *backend, reg prometheus.Registerer, log *zap.Logger) (*replay.Room, error) {
	dead, sources := map[string]worker.Queue{}, map[string]worker.Sink{}
	for _, name := range push.Queues() {
		dead[name], sources[name] = b.queues[push.DeadLetterQueue(name)], b.queues[name]
	}
	return replay.New(replay.Config{
		Letters: b.store, Notifications: b.store, Lines: b.store, Documents: b.store, Dead: dead, Sources: sources, Events: b.events,
		App: "default", Software: telemetry.Version(), Owner: owner(), Log: log, Metrics: replay.NewMetrics(reg), Now: time.Now,
	})
}

// OpenReplay opens the dead-letter room directly on the backend, for the
// operator's commands. Close it when done.
func OpenReplay(ctx context.Context, c config.Store, log *zap.Logger) (room *replay.Room, stop func(context.Context) error, err error) {
	reg := prometheus.NewRegistry()
	b, err := opener(c, log)(ctx, reg)
	if err != nil {
		return nil, nil, err
	}
	room, err = newReplay(b, reg, log)
	if err != nil {
		return nil, nil, errors.Join(err, b.close(context.WithoutCancel(ctx)))
	}
	return room, b.close, nil
}

// DrainWatch moves dead letters into the store until ctx ends, with health and
// metrics beside it.
func DrainWatch(ctx context.Context, c config.Replayer, log *zap.Logger) error {
	s, err := newService(ctx, log, c.Stop.Drain, opener(c.Store, log))
	if err != nil {
		return err
	}
	room, err := newReplay(s.backend, s.reg, log)
	if err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	if c.Metrics.Listen != "" {
		addr, err := s.listen(ctx, "health and metrics", c.Metrics.Listen, httpapi.NewServer(httpapi.NewProbes(s.health, s.reg, log), log))
		if err != nil {
			return errors.Join(err, s.stack.unwind(ctx))
		}
		log.Info("draining dead letters", zap.String("metrics", addr))
	}
	s.stack.background(ctx, "drain", c.Stop.Drain+time.Second, func(ctx context.Context) {
		if _, err := room.DrainWatch(ctx); err != nil && ctx.Err() == nil {
			s.fail(err)
		}
	})
	return s.run(ctx)
}
