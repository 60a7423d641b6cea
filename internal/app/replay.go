package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/cost"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// newLetters builds the room of dead letters on an open backend. It ages them out
// by the given policy; the zero policy leaves that to another process.
func newLetters(b *backend, retention letters.Retention, reg prometheus.Registerer, log *zap.Logger) (*letters.Room, error) {
	dead := map[string]worker.Queue{}
	for _, name := range push.Queues() {
		dead[name] = b.queues[push.DeadLetterQueue(name)]
	}
	return letters.New(letters.Config{
		Letters: b.store, Notifications: b.store, Lines: b.store, Plans: b.store, Documents: b.store, Dead: dead, Retention: retention,
		App: app, Software: telemetry.Version(), Log: log, Metrics: letters.NewMetrics(reg), Now: time.Now,
	})
}

// app is the FCM project of this installation's one credential.
const app = "default"

// newReplays builds the room of replays on an open backend, for the letters that
// kept keeps.
func newReplays(b *backend, kept *letters.Room, reg prometheus.Registerer, log *zap.Logger) (*replay.Room, error) {
	sources := map[string]worker.Sink{}
	for _, name := range push.Queues() {
		sources[name] = b.queues[name]
	}
	perSend, err := b.costPerReplay()
	if err != nil {
		return nil, err
	}
	predictions, err := predict.New(predict.Config{
		Keeper: kept, Letters: b.store, Notifications: b.store, Lines: b.store, Documents: b.store, Queues: push.Queues(),
		Screens:  []predict.Screen{predict.DeviceScreen{Devices: b.store}},
		Breakers: &breakers{docs: b.store, log: log, now: time.Now}, CostPerSend: perSend, Software: telemetry.Version(), Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	// Patience waits out a store that is away for some minutes.
	const patience = 30
	return replay.New(replay.Config{
		Predict: predictions, Keeper: kept, Letters: b.store, Notifications: b.store, Lines: b.store, Documents: b.store, Sources: sources,
		Events: b.events, Patience: patience, Owner: owner(), Log: log, Metrics: replay.NewMetrics(reg), Now: time.Now,
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

// OpenLetters opens the room of dead letters directly on the backend, for the
// operator's commands. Stop it when done.
func OpenLetters(ctx context.Context, c config.Store, log *zap.Logger) (room *letters.Room, stop func(context.Context) error, err error) {
	reg := prometheus.NewRegistry()
	b, err := opener(c, log)(ctx, reg)
	if err != nil {
		return nil, nil, err
	}
	room, err = newLetters(b, letters.Retention{}, reg, log)
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
	kept, err := newLetters(s.backend, letters.Retention{Parked: keep.Parked, Warn: keep.Warn, Done: keep.Done}, s.reg, log)
	if err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	replays, err := newReplays(s.backend, kept, s.reg, log)
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
	s.stack.background(ctx, "retention", grace, kept.RetainWatch)
	s.execute(ctx, replays)
	s.stack.background(ctx, "drain", c.Stop.Drain+time.Second, func(ctx context.Context) {
		if _, err := kept.DrainWatch(ctx); err != nil && ctx.Err() == nil {
			s.fail(err)
		}
	})
	return s.run(ctx)
}
