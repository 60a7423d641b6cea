package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/cost"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// newReplay builds the dead-letter room on an open backend.
func newReplay(b *backend, reg prometheus.Registerer, log *zap.Logger) (*replay.Room, error) {
	return newRetaining(b, replay.Retention{}, reg, log)
}

// newRetaining builds a room that ages letters out by a policy of its own.
func newRetaining(b *backend, retention replay.Retention, reg prometheus.Registerer, log *zap.Logger) (*replay.Room, error) {
	dead, sources := map[string]worker.Queue{}, map[string]worker.Sink{}
	for _, name := range push.Queues() {
		dead[name], sources[name] = b.queues[push.DeadLetterQueue(name)], b.queues[name]
	}
	perSend, err := b.costPerReplay()
	if err != nil {
		return nil, err
	}
	// Patience waits out a store that is away for some minutes.
	const patience = 30
	return replay.New(replay.Config{
		Letters: b.store, Notifications: b.store, Lines: b.store, Plans: b.store, Documents: b.store, Dead: dead, Sources: sources, Events: b.events,
		Screens: []replay.Screen{replay.DeviceScreen{Devices: b.store}}, Patience: patience, Retention: retention,
		Breakers: &breakers{docs: b.store, log: log, now: time.Now}, CostPerSend: perSend,
		App: "default", Software: telemetry.Version(), Owner: owner(), Log: log, Metrics: replay.NewMetrics(reg), Now: time.Now,
	})
}

// costPerReplay is what one letter sent again costs, in US dollars: nothing on
// the embedded backend.
func (b *backend) costPerReplay() (float64, error) {
	if b.meter == nil {
		return 0, nil
	}
	prices, err := cost.List()
	if err != nil {
		return 0, err
	}
	return prices.Bill(cost.Replayed()).USD, nil
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

// DrainWatch moves dead letters into the store until ctx ends, ages out what has
// waited too long, and executes replays that nobody executes, with health and
// metrics beside it.
func DrainWatch(ctx context.Context, c config.Replayer, keep config.Retention, log *zap.Logger) error {
	warn(log, c)
	s, err := newService(ctx, log, c.Stop.Drain, opener(c.Store, log))
	if err != nil {
		return err
	}
	room, err := newRetaining(s.backend, replay.Retention{Parked: keep.Parked, Warn: keep.Warn, Done: keep.Done}, s.reg, log)
	if err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	if err := s.readyForDrain(); err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	if err := s.serveProbes(ctx, c.Metrics, c.Listeners, "draining dead letters"); err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	const grace = 5 * time.Second
	s.stack.background(ctx, "retention", grace, room.RetainWatch)
	s.execute(ctx, room)
	s.stack.background(ctx, "drain", c.Stop.Drain+time.Second, func(ctx context.Context) {
		if _, err := room.DrainWatch(ctx); err != nil && ctx.Err() == nil {
			s.fail(err)
		}
	})
	return s.run(ctx)
}
