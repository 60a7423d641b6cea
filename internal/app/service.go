package app

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// service is what all services of one process share.
type service struct {
	log     *zap.Logger
	reg     *prometheus.Registry
	health  *telemetry.Health
	checks  []string // of health, by name
	stack   *stack
	backend *backend
	drain   time.Duration // how long workers may take to finish or hand back
	now     func() time.Time
	elapsed func() time.Duration // monotonic, since this process began

	workerMetrics *worker.Metrics
	outcomes      *prometheus.CounterVec
	failed        chan error // a part that should run for ever has ended
}

// newService opens the backend. On error nothing is left open.
func newService(ctx context.Context, log *zap.Logger, drain time.Duration, open openFunc) (*service, error) {
	reg := telemetry.NewRegistry()
	b, err := open(ctx, reg)
	if err != nil {
		return nil, err
	}
	s := &service{
		log: log, reg: reg, health: telemetry.NewHealth(healthTimeout), stack: &stack{log: log}, backend: b, drain: drain, now: time.Now,
		elapsed:       clock.Start(),
		workerMetrics: worker.NewMetrics(reg), outcomes: outcome.NewCounter(reg), failed: make(chan error, 1),
	}
	const closing = 10 * time.Second
	s.stack.onStop("backend", closing, b.close)
	if err := reg.Register(newDepthGauges(b.queues, log)); err != nil {
		return nil, errors.Join(err, s.stack.unwind(ctx))
	}
	s.stack.background(ctx, "clock watch", time.Second, telemetry.NewClockWatch(s.now, s.elapsed, reg, log).Run)
	if err := watchHealth(s.health, reg, log); err != nil {
		return nil, errors.Join(err, s.stack.unwind(ctx))
	}
	return s, nil
}

// run waits until ctx ends or a part fails, then stops everything.
func (s *service) run(ctx context.Context) error {
	var failure error
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case failure = <-s.failed:
		s.log.Error("a part of the service failed; stopping", zap.Error(failure))
	}
	s.health.Drain()
	return errors.Join(failure, s.stack.unwind(ctx))
}

func (s *service) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// work runs a worker on a source queue until the stack unwinds: then it drains,
// and what still runs after the drain time is cut short.
func (s *service) work(ctx context.Context, queueName string, cfg worker.Config, h worker.Handler) {
	cfg.Name, cfg.Visibility, cfg.Wait, cfg.Software = queueName, s.backend.visibility, worker.MaxWait, telemetry.Version()
	if queueName != push.QueueEvents { // where other services send
		cfg.Homes = s.homes()
	}
	w := worker.New(cfg, s.backend.queues[queueName], s.backend.queues[push.DeadLetterQueue(queueName)], h, s.log, s.workerMetrics)
	ctx, cut := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	const afterCut = 10 * time.Second
	s.stack.onStop("worker "+queueName, s.drain+afterCut, func(stop context.Context) error {
		w.Drain()
		patience, cancel := context.WithTimeout(stop, s.drain)
		defer cancel()
		if waitFor(patience, ended) == nil {
			cut()
			return nil
		}
		cut()
		return waitFor(stop, ended)
	})
}

// homes are the source queues.
func (s *service) homes() map[string]worker.Sink {
	homes := map[string]worker.Sink{}
	for _, name := range push.Queues() {
		homes[name] = s.backend.queues[name]
	}
	return homes
}

// owner names this process in ledger lines.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "/" + strconv.Itoa(os.Getpid()) + "/" + strconv.FormatInt(time.Now().UnixMilli(), 36)
}
