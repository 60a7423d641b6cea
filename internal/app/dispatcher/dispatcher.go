package dispatcher

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/breakers"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/deliver/isolation"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// Options are what a dispatcher can be told.
type Options struct {
	Fanout, Deliver bool
	FCM             fcm.Config // of the sender, if it is to deliver
	PerSecond       float64
	Ramp            time.Duration // of the pace, when it starts
	Delivery        config.Delivery
	WaitScale       float64 // of FCM's waits between tries, 0 is all of them; for the demo
}

// Start starts the roles. The high lane has its own worker, and more
// streams to FCM than it can use are never taken by the bulk lane: that is its
// headroom.
func Start(ctx context.Context, s *app.Service, o Options) error {
	if err := s.ReadyForDispatch(o.Fanout); err != nil {
		return err
	}
	outcomes, err := s.NewOutcomes(s.Reg, o.Delivery.RecordUnknownDevices)
	if err != nil {
		return err
	}
	const writing = 10 * time.Second // the recorder's own bound is below it
	s.Stack.Background(ctx, "device recorder", writing, outcomes.Record)
	if o.Fanout {
		if err := startFanout(ctx, s, o, outcomes); err != nil {
			return err
		}
	}
	if o.Deliver {
		return startDeliver(ctx, s, o, outcomes)
	}
	return nil
}

func lanes(s *app.Service) map[push.Lane]worker.Sink {
	return map[push.Lane]worker.Sink{
		push.LaneHigh: s.Backend.Queues[push.QueueHigh],
		push.LaneBulk: s.Backend.Queues[push.QueueBulk],

		push.LaneReplay: s.Backend.Queues[push.QueueReplay],
	}
}

func startFanout(ctx context.Context, s *app.Service, o Options, outcomes *outcome.Outcomes) error {
	erased, _, err := s.Tombstones(ctx)
	if err != nil {
		return err
	}
	f, err := fanout.New(fanout.Config{
		Notifications: s.Backend.Store, Lines: s.Backend.Store, Pages: s.Backend.Store, Devices: s.Backend.Store, Erasures: erased,
		Tasks: s.Backend.Queues[push.QueueNotifications], Chunks: lanes(s), Completed: outcomes.Completed, Settled: outcomes.Settled,
		RecordUnknown: o.Delivery.RecordUnknownDevices, Log: s.Log, Metrics: fanout.NewMetrics(s.Reg, s.Outcomes), Now: s.Now,
	})
	if err != nil {
		return err
	}
	s.Stack.OnStop("device cache", time.Second, func(context.Context) error { f.Close(); return nil })
	const concurrency, pollers = 64, 2
	s.Work(ctx, push.QueueNotifications, worker.Config{Concurrency: concurrency, Pollers: pollers}, f)
	return nil
}

// checkCredential is the name of the readiness check of a dispatcher that delivers.
const checkCredential = "FCM credential" //nolint:gosec // a name, not a credential

// maxElapsed is FCM's advice on when to give up a series of retries.
const maxElapsed = time.Hour

// laneShare is how a lane uses FCM's streams.
type laneShare struct {
	lane push.Lane
	// chunks are in hand at once, with so many requests of each under way; of them,
	// so many may hold nothing but retries, 0 for any number.
	chunks, window, retries int
}

// shares returns the lanes' settings. Only the high lane bounds its chunks of
// retries: retries that always time out would otherwise take all of its places.
func shares(l config.Lanes) []laneShare {
	l = l.OrDefault()
	return []laneShare{
		{push.LaneBulk, l.BulkChunks, l.BulkWindow, 0},
		{push.LaneHigh, l.HighChunks, l.HighWindow, l.HighRetries},
		{push.LaneReplay, l.ReplayChunks, l.ReplayWindow, 0},
	}
}

func startDeliver(ctx context.Context, s *app.Service, o Options, outcomes *outcome.Outcomes) error {
	sender, err := fcm.New(ctx, o.FCM, s.Log, fcm.NewMetrics(s.Reg))
	if err != nil {
		return fmt.Errorf("FCM: %w", err)
	}
	const closing = 5 * time.Second
	s.Stack.OnStop("FCM connections", closing, sender.Close)
	if err := s.Need(checkCredential, func(context.Context) error { return sender.Credential() }); err != nil {
		return err
	}
	encoder, err := fcm.NewEncoder(ctx)
	if err != nil {
		return err
	}
	g, err := newGuard(ctx, s, o, outcomes)
	if err != nil {
		return err
	}
	erased, _, err := s.Tombstones(ctx)
	if err != nil {
		return err
	}
	metrics, alone := deliver.NewMetrics(s.Reg, s.Outcomes), isolation.New()
	for _, lane := range shares(o.Delivery.Lanes) {
		d, err := deliver.New(deliver.Config{
			Owner: app.Owner() + "/" + string(lane.lane), Notifications: s.Backend.Store, Lines: s.Backend.Store, Sender: sender, Encoder: encoder,
			Erasures: erased, Guard: g, Isolation: alone, Outcomes: outcomes, Chunks: lanes(s),
			Dead: s.Backend.Queues[push.DeadLetterQueue(push.DeliveryQueue(lane.lane))],
			Lane: lane.lane, Window: lane.window, Retries: lane.retries, Brake: o.Delivery.BrakeAfter,
			MaxAttempts: o.Delivery.MaxAttempts, MaxElapsed: maxElapsed, Backoff: guard.Backoff{Scale: o.WaitScale},
			Software: telemetry.Version(),
			Log:      s.Log, Metrics: metrics, Now: s.Now, Elapsed: s.Elapsed, Rand: newRand(),
		})
		if err != nil {
			return err
		}
		s.Stack.OnStop("notification cache", time.Second, func(context.Context) error { d.Close(); return nil })
		s.Work(ctx, push.DeliveryQueue(lane.lane), worker.Config{Concurrency: lane.chunks}, d)
	}
	return nil
}

func newGuard(ctx context.Context, s *app.Service, o Options, outcomes *outcome.Outcomes) (*guard.Guard, error) {
	metrics, err := guard.NewMetrics(s.Reg)
	if err != nil {
		return nil, err
	}
	n := breakers.NewChanges(breakers.NewNotes(s.Backend.Store, s.Log, s.Now), s.Now, func(ctx context.Context, c guard.Change) {
		outcomes.BreakerChanged(ctx, c.Credential, c.From.String(), c.To.String(), c.At, c.Until, c.Cause)
	})
	cfg := guard.DefaultConfig(o.FCM.Project)
	cfg.PerSecond, cfg.Ramp = o.PerSecond, o.Ramp
	g, err := guard.New(cfg, s.Now, newRand(), s.Log, metrics, n.Tell)
	if err != nil {
		return nil, err
	}
	const grace = 10 * time.Second
	// the breaker moves until the lanes have ended
	s.Stack.Background(ctx, "breaker changes", grace, func(ctx context.Context) { n.Run(ctx, g) })
	return g, nil
}

func newRand() *rand.Rand {
	return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // jitter, not secrets
}
