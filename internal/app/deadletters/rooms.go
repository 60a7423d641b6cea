package deadletters

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/breakers"
	"github.com/belfry-push/belfry/internal/cost"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/worker"
)

// newLetters builds the room of dead letters on an open backend. It ages them out
// by the given policy; the zero policy leaves that to another process.
func newLetters(b *app.Backend, retention letters.Retention, metrics *letters.Metrics, log *zap.Logger) (*letters.Room, error) {
	dead := map[string]worker.Queue{}
	for _, name := range push.Queues() {
		dead[name] = b.Queues[push.DeadLetterQueue(name)]
	}
	return letters.New(letters.Config{
		Letters: b.Store, Notifications: b.Store, Lines: b.Store, Plans: b.Store, Documents: b.Store, Dead: dead, Retention: retention,
		App: installation, Software: telemetry.Version(), Log: log, Metrics: metrics, Now: time.Now,
	})
}

// installation is the FCM project of this installation's one credential.
const installation = "default"

// newReplays builds the room of replays on an open backend, for the letters that
// kept keeps; screens say who is not sent to, beside the device registry.
func newReplays(b *app.Backend, kept *letters.Room, reg prometheus.Registerer, log *zap.Logger,
	tracer *trace.Tracer, screens ...predict.Screen,
) (*replay.Room, error) {
	sources := map[string]worker.Sink{}
	for _, name := range push.Queues() {
		sources[name] = b.Queues[name]
	}
	perSend, err := costPerReplay(b)
	if err != nil {
		return nil, err
	}
	predictions, err := predict.New(predict.Config{
		Keeper: kept, Letters: b.Store, Notifications: b.Store, Lines: b.Store, Documents: b.Store, Queues: push.Queues(),
		Screens:  append(screens, predict.DeviceScreen{Devices: b.Store}),
		Breakers: breakers.NewNotes(b.Store, log, time.Now), CostPerSend: perSend, Software: telemetry.Version(), Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	// Patience waits out a store that is away for some minutes.
	const patience = 30
	return replay.New(replay.Config{
		Predict: predictions, Keeper: kept, Letters: b.Store, Notifications: b.Store, Lines: b.Store, Documents: b.Store, Sources: sources,
		Events: b.Events, Patience: patience, Owner: app.Owner(), Log: log, Metrics: replay.NewMetrics(reg), Now: time.Now,
		Tracer: tracer,
	})
}

// costPerReplay is what one letter sent again costs, in US dollars: nothing on
// the embedded backend.
func costPerReplay(b *app.Backend) (float64, error) {
	if b.Meter == nil {
		return 0, nil
	}
	prices, err := cost.List()
	if err != nil {
		return 0, err
	}
	return prices.Bill(cost.Replayed()).USD, nil
}

// replaysGrace is what a stop may take: letters in hand are finished within a
// minute.
const replaysGrace = time.Minute + 5*time.Second

// Serve opens the dead letters for the API and executes replays beside it: those that
// were started over HTTP, and those whose process died.
func Serve(ctx context.Context, s *app.Service) (*letters.Room, *replay.Room, error) {
	kept, err := newLetters(s.Backend, letters.Retention{}, letters.NewMetrics(s.Reg), s.Log)
	if err != nil {
		return nil, nil, err
	}
	erased, _, err := s.Tombstones(ctx)
	if err != nil {
		return nil, nil, err
	}
	replays, err := newReplays(s.Backend, kept, s.Reg, s.Log, s.Tracer, erased)
	if err != nil {
		return nil, nil, err
	}
	execute(ctx, s, replays)
	return kept, replays, nil
}

func execute(ctx context.Context, s *app.Service, room *replay.Room) {
	room.ShowOpen(s.Reg)
	s.Stack.Background(ctx, "replays", replaysGrace, room.Execute)
}
