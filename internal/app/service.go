package app

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota"
	"github.com/belfry-push/belfry/internal/sharedrate"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/worker"
)

// Service is what all services of one process share.
type Service struct {
	Log      *zap.Logger
	Reg      *prometheus.Registry
	Health   *telemetry.Health
	Stack    *Stack
	Backend  *Backend
	Now      func() time.Time
	Elapsed  func() time.Duration   // monotonic, since this process began
	Outcomes *prometheus.CounterVec // by class and code
	Tracer   *trace.Tracer          // nil: nobody sees spans
	Tail     *tail.Source           // of what happens in this process

	tombstones *privacy.Tombstones // see Tombstones
	keys       *privacy.Keys

	effects *access.Effects // nil until somebody asks for them

	checks        []string      // of Health, by name
	drain         time.Duration // how long workers may take to finish or hand back
	workerMetrics *worker.Metrics
	pauses        *pause.Pauses  // nil until somebody asks for them
	overrides     *override.Room // nil until somebody asks for them
	rates         *sharedrate.Set
	quotas        *quota.Quotas
	beats         *status.Beats
	failed        chan error // a part that should run for ever has ended
}

// NewService opens the backend. On error nothing is left open.
func NewService(ctx context.Context, log *zap.Logger, drain time.Duration, open Open) (*Service, error) {
	Starting(log)
	reg := telemetry.NewRegistry()
	b, err := open(ctx, reg)
	if err != nil {
		return nil, err
	}
	s := &Service{
		Log: log, Reg: reg, Health: telemetry.NewHealth(healthTimeout), Stack: NewStack(log), Backend: b, Now: time.Now, Elapsed: clock.Start(),
		Outcomes: outcome.NewCounter(reg), drain: drain, workerMetrics: worker.NewMetrics(reg), failed: make(chan error, 1),
	}
	const closing = 10 * time.Second
	s.Stack.OnStop("backend", closing, b.Close)
	if err := s.startTraces(ctx); err != nil {
		return nil, errors.Join(err, s.Stack.Unwind(ctx))
	}
	if err := reg.Register(newDepthGauges(b.Queues, log)); err != nil {
		return nil, errors.Join(err, s.Stack.Unwind(ctx))
	}
	s.startBeats(ctx)
	s.Tail = b.Follow(log, s.Now)
	s.Stack.Background(ctx, "tail", tailGrace, s.Tail.Run)
	s.Stack.Background(ctx, "clock watch", time.Second, telemetry.NewClockWatch(s.Now, s.Elapsed, reg, log).Run)
	if err := watchHealth(s.Health, reg, log); err != nil {
		return nil, errors.Join(err, s.Stack.Unwind(ctx))
	}
	return s, nil
}

// Starting logs which build of a program starts.
func Starting(log *zap.Logger) {
	b := telemetry.Build()
	log.Info("starting", zap.String("version", b.Version), zap.String("revision", b.Revision), zap.String("go", b.GoVersion))
}

// tailGrace is what the end of telling may take: the store has two seconds for what is left.
const tailGrace = 3 * time.Second

// Follow has the backend's events told to whoever follows what happens, too, by the source that
// it returns; that has to run.
func (b *Backend) Follow(log *zap.Logger, now func() time.Time) *tail.Source {
	t := tail.NewSource(b.Store, log, now)
	b.Events = tee{b.Events, t}
	return t
}

// FollowBriefly is [Backend.Follow] for a process that is there for one piece of work. The source runs until the stack
// unwinds to here.
func (b *Backend) FollowBriefly(ctx context.Context, log *zap.Logger, stack *Stack) *tail.Source {
	t := b.Follow(log, time.Now)
	t.Begin(ctx)
	stack.Background(ctx, "tail", tailGrace, t.Run)
	return t
}

// Run waits until ctx ends or a part fails, then stops everything. It is called when everything has started, which the supervisor
// is told.
func (s *Service) Run(ctx context.Context) error {
	var failure error
	s.tell(daemon.SdNotifyReady)
	defer s.beatSupervisor(ctx)()
	select {
	case <-ctx.Done():
		s.Log.Info("stopping")
	case failure = <-s.failed:
		s.Log.Error("a part of the service failed; stopping", zap.Error(failure))
	}
	s.tell(daemon.SdNotifyStopping)
	s.Health.Drain()
	return errors.Join(failure, s.Stack.Unwind(ctx))
}

// Fail stops the service because a part of it has ended that should run for ever.
func (s *Service) Fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Work runs a worker on a source queue until the stack unwinds: then it drains,
// and what still runs after the drain time is cut short.
func (s *Service) Work(ctx context.Context, queueName string, cfg worker.Config, h worker.Handler) {
	cfg.Name, cfg.Visibility, cfg.Wait, cfg.Software = queueName, s.Backend.Visibility, worker.MaxWait, telemetry.Version()
	if queueName != push.QueueEvents { // where other services send
		cfg.Homes = s.homes()
	}
	w := worker.New(cfg, s.Backend.Queues[queueName], s.Backend.Queues[push.DeadLetterQueue(queueName)], h, s.Log, s.workerMetrics)
	s.showWorker(queueName, cfg.Concurrency)
	ctx, cut := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	const afterCut = 10 * time.Second
	s.Stack.OnStop("worker "+queueName, s.drain+afterCut, func(stop context.Context) error {
		w.Drain()
		patience, cancel := context.WithTimeout(stop, s.drain)
		defer cancel()
		if WaitFor(patience, ended) == nil {
			cut()
			return nil
		}
		cut()
		return WaitFor(stop, ended)
	})
}

// homes are the source queues.
func (s *Service) homes() map[string]worker.Sink {
	homes := map[string]worker.Sink{}
	for _, name := range push.Queues() {
		homes[name] = s.Backend.Queues[name]
	}
	return homes
}

// Owner names this process in ledger lines.
func Owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "/" + strconv.Itoa(os.Getpid()) + "/" + strconv.FormatInt(time.Now().UnixMilli(), 36)
}
