package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
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

// dispatcherOptions is what a dispatcher can be told.
type dispatcherOptions struct {
	fanout, deliver bool
	fcm             fcm.Config
	perSecond       float64
	ramp            time.Duration
	maxAttempts     int
	brake           int
	lanes           config.Lanes
	recordUnknown   bool
}

// startDispatcher starts the roles. The high lane has its own worker, and more
// streams to FCM than it can use are never taken by the bulk lane: that is its
// headroom.
func (s *service) startDispatcher(ctx context.Context, o dispatcherOptions) error {
	if err := s.readyForDispatch(o); err != nil {
		return err
	}
	outcomes, err := s.newOutcomes(s.reg)
	if err != nil {
		return err
	}
	if o.fanout {
		if err := s.startFanout(ctx, o, outcomes); err != nil {
			return err
		}
	}
	if o.deliver {
		return s.startDeliver(ctx, o, outcomes)
	}
	return nil
}

func (s *service) newOutcomes(reg prometheus.Registerer) (*outcome.Outcomes, error) {
	wave, err := outcome.NewWave(outcome.DefaultWaveShare, outcome.DefaultWaveLeast, outcome.DefaultWaveSpan)
	if err != nil {
		return nil, err
	}
	return outcome.New(outcome.Config{
		Devices: s.backend.store, Events: s.backend.events, Source: "belfry", Wave: wave,
		Log: s.log, Metrics: outcome.NewMetrics(reg), Now: s.now,
	}), nil
}

func (s *service) lanes() map[push.Lane]worker.Sink {
	return map[push.Lane]worker.Sink{
		push.LaneHigh: s.backend.queues[push.QueueHigh],
		push.LaneBulk: s.backend.queues[push.QueueBulk],

		push.LaneReplay: s.backend.queues[push.QueueReplay],
	}
}

func (s *service) startFanout(ctx context.Context, o dispatcherOptions, outcomes *outcome.Outcomes) error {
	f, err := fanout.New(fanout.Config{
		Notifications: s.backend.store, Lines: s.backend.store, Pages: s.backend.store, Devices: s.backend.store,
		Tasks: s.backend.queues[push.QueueNotifications], Chunks: s.lanes(), Completed: outcomes.Completed, Settled: outcomes.Settled,
		RecordUnknown: o.recordUnknown, Log: s.log, Metrics: fanout.NewMetrics(s.reg, s.outcomes), Now: s.now,
	})
	if err != nil {
		return err
	}
	s.stack.onStop("device cache", time.Second, func(context.Context) error { f.Close(); return nil })
	const concurrency, pollers = 64, 2
	s.work(ctx, push.QueueNotifications, worker.Config{Concurrency: concurrency, Pollers: pollers}, f)
	return nil
}

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

func (s *service) startDeliver(ctx context.Context, o dispatcherOptions, outcomes *outcome.Outcomes) error {
	sender, err := fcm.New(ctx, o.fcm, s.log, fcm.NewMetrics(s.reg))
	if err != nil {
		return fmt.Errorf("FCM: %w", err)
	}
	const closing = 5 * time.Second
	s.stack.onStop("FCM connections", closing, sender.Close)
	if err := s.need(checkCredential, func(context.Context) error { return sender.Credential() }); err != nil {
		return err
	}
	encoder, err := fcm.NewEncoder(ctx)
	if err != nil {
		return err
	}
	g, err := s.newGuard(ctx, o, outcomes)
	if err != nil {
		return err
	}
	metrics, alone := deliver.NewMetrics(s.reg, s.outcomes), isolation.New()
	for _, lane := range shares(o.lanes) {
		d, err := deliver.New(deliver.Config{
			Owner: owner() + "/" + string(lane.lane), Notifications: s.backend.store, Lines: s.backend.store, Sender: sender, Encoder: encoder,
			Guard: g, Isolation: alone, Outcomes: outcomes, Chunks: s.lanes(),
			Dead: s.backend.queues[push.DeadLetterQueue(push.DeliveryQueue(lane.lane))],
			Lane: lane.lane, Window: lane.window, Retries: lane.retries, Brake: o.brake, MaxAttempts: o.maxAttempts, MaxElapsed: maxElapsed,
			Software: telemetry.Version(),
			Log:      s.log, Metrics: metrics, Now: s.now, Elapsed: s.elapsed, Rand: newRand(),
		})
		if err != nil {
			return err
		}
		s.stack.onStop("notification cache", time.Second, func(context.Context) error { d.Close(); return nil })
		s.work(ctx, push.DeliveryQueue(lane.lane), worker.Config{Concurrency: lane.chunks}, d)
	}
	return nil
}

func (s *service) newGuard(ctx context.Context, o dispatcherOptions, outcomes *outcome.Outcomes) (*guard.Guard, error) {
	metrics, err := guard.NewMetrics(s.reg)
	if err != nil {
		return nil, err
	}
	n := newChanges(&breakers{docs: s.backend.store, log: s.log, now: s.now}, s.now, func(ctx context.Context, c guard.Change) {
		outcomes.BreakerChanged(ctx, c.Credential, c.From.String(), c.To.String(), c.At, c.Until, c.Cause)
	})
	cfg := guard.DefaultConfig(o.fcm.Project)
	cfg.PerSecond, cfg.Ramp = o.perSecond, o.ramp
	g, err := guard.New(cfg, s.now, newRand(), s.log, metrics, n.tell)
	if err != nil {
		return nil, err
	}
	const grace = 10 * time.Second
	// the breaker moves until the lanes have ended
	s.stack.background(ctx, "breaker changes", grace, func(ctx context.Context) { n.run(ctx, g) })
	return g, nil
}

func newRand() *rand.Rand {
	return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // jitter, not secrets
}
