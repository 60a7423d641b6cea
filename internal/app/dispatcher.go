package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/deliver"
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
	recordUnknown   bool
}

// startDispatcher starts the roles. The high lane has its own worker, and more
// streams to FCM than it can use are never taken by the bulk lane: that is its
// headroom.
func (s *service) startDispatcher(ctx context.Context, o dispatcherOptions) error {
	if err := s.readyForDispatch(o); err != nil {
		return err
	}
	outcomes, err := s.newOutcomes()
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

func (s *service) newOutcomes() (*outcome.Outcomes, error) {
	wave, err := outcome.NewWave(outcome.DefaultWaveShare, outcome.DefaultWaveLeast, outcome.DefaultWaveSpan)
	if err != nil {
		return nil, err
	}
	return outcome.New(outcome.Config{
		Devices: s.backend.store, Events: s.backend.events, Source: "belfry", Wave: wave,
		Log: s.log, Metrics: outcome.NewMetrics(s.reg), Now: s.now,
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

// How a lane uses FCM's streams (14 connections of 90): the bulk lane has 20
// chunks of 50 requests each under way, the high lane takes many small ones.
// Many chunks hide what each waits for besides FCM, its claim, its slowest last
// answer and its closing: 20 × 50 send half as much again as 6 × 100.
const (
	bulkChunks = 20
	bulkWindow = 50
	highChunks = 200
	highWindow = 20
	// highRetries is how many of its places the high lane has for chunks of retries:
	// those that time out every time would take them all.
	highRetries = highChunks / 2
	// The replay lane is for what an operator sends again: it gets what cannot
	// hurt live traffic.
	replayChunks = 4
	replayWindow = 25
	// maxElapsed is FCM's advice on when to give up a series of retries.
	maxElapsed = time.Hour
)

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
	metrics, isolation := deliver.NewMetrics(s.reg, s.outcomes), deliver.NewIsolation()
	for _, lane := range []struct {
		lane                    push.Lane
		chunks, window, retries int
	}{
		{push.LaneBulk, bulkChunks, bulkWindow, 0},
		{push.LaneHigh, highChunks, highWindow, highRetries},
		{push.LaneReplay, replayChunks, replayWindow, 0},
	} {
		d, err := deliver.New(deliver.Config{
			Owner: owner(), Notifications: s.backend.store, Lines: s.backend.store, Sender: sender, Encoder: encoder,
			Guard: g, Isolation: isolation, Outcomes: outcomes, Chunks: s.lanes(), Dead: s.backend.queues[push.DeadLetterQueue(push.DeliveryQueue(lane.lane))],
			Lane: lane.lane, Window: lane.window, Retries: lane.retries, MaxAttempts: o.maxAttempts, MaxElapsed: maxElapsed, Software: telemetry.Version(),
			Log: s.log, Metrics: metrics, Now: s.now, Rand: newRand(),
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
	n := newNews(&breakers{docs: s.backend.store, log: s.log, now: s.now}, s.now, func(ctx context.Context, c guard.Change) {
		outcomes.BreakerChanged(ctx, c.Credential, c.From.String(), c.To.String(), c.At, c.Until, c.Cause)
	})
	cfg := guard.DefaultConfig(o.fcm.Project)
	cfg.PerSecond, cfg.Ramp = o.perSecond, o.ramp
	g, err := guard.New(cfg, s.now, newRand(), s.log, metrics, n.tell)
	if err != nil {
		return nil, err
	}
	const grace = 10 * time.Second
	s.stack.background(ctx, "breaker news", grace, func(ctx context.Context) { n.run(ctx, g) }) // the breaker moves until the lanes have ended
	return g, nil
}

func newRand() *rand.Rand {
	return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // jitter, not secrets
}
