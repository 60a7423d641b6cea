package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// healthTimeout bounds one readiness check.
const healthTimeout = 3 * time.Second

// Pulses are what a backend can be asked whether it does its work. A nil one is
// part of another, or is not there.
type Pulses struct {
	Ledger func(ctx context.Context) error // by a write
	Pages  func(ctx context.Context) error
	Events func(ctx context.Context) error // outgoing
	Queues func(ctx context.Context, names ...string) error
}

// The names of the checks. What a program needs to do its job, and what it can
// do without, is said by ReadyForIngest, ReadyForDispatch and ReadyForDrain.
const (
	checkLedger = "ledger"
	checkQueues = "queues"
	checkOutbox = "outbox"
	checkPages  = "pages"
	checkEvents = "events"
	checkDead   = "dead-letter queues"
)

// Need registers a check that the program cannot do its job without. One that is
// registered already, by the other half of this process, stands.
func (s *Service) Need(name string, check telemetry.Check) error {
	return s.check(name, check, s.Health.Register)
}

// Like registers a check that it can do its job without.
func (s *Service) Like(name string, check telemetry.Check) error {
	return s.check(name, check, s.Health.RegisterOptional)
}

func (s *Service) check(name string, check telemetry.Check, register func(string, telemetry.Check) error) error {
	if check == nil || slices.Contains(s.checks, name) {
		return nil
	}
	s.checks = append(s.checks, name)
	return register(name, check)
}

// ReadyForIngest registers what ingest needs: the ledger is the acceptance. While the queue is away the
// outbox keeps what is accepted; without a place for pages single sends go on.
func (s *Service) ReadyForIngest() error {
	p := s.Backend.Pulses
	return errors.Join(
		s.Need(checkLedger, p.Ledger),
		s.Like(checkOutbox, func(ctx context.Context) error { return p.Queues(ctx, push.QueueNotifications) }),
		s.Like(checkPages, p.Pages),
	)
}

// ReadyForDispatch registers what a dispatcher needs, which takes from queues, writes the ledger and, if it
// delivers, has to be let in by FCM. Events that are not published are lost to
// their subscribers, not to the ledger.
func (s *Service) ReadyForDispatch(fanout bool) error {
	p := s.Backend.Pulses
	var names []string
	if fanout {
		names = append(names, push.QueueNotifications)
	}
	for _, name := range push.Queues() {
		if name != push.QueueNotifications && name != push.QueueEvents {
			names = append(names, name)
		}
	}
	return errors.Join(
		s.Need(checkLedger, p.Ledger),
		s.Need(checkQueues, func(ctx context.Context) error { return p.Queues(ctx, names...) }),
		s.Like(checkPages, p.Pages),
		s.Like(checkEvents, p.Events),
	)
}

// ReadyForDrain registers what draining needs: dead letters go from their queues into the store.
func (s *Service) ReadyForDrain() error {
	p := s.Backend.Pulses
	return errors.Join(
		s.Need(checkLedger, p.Ledger),
		s.Need(checkDead, func(ctx context.Context) error {
			var names []string
			for _, name := range push.Queues() {
				names = append(names, push.DeadLetterQueue(name))
			}
			return p.Queues(ctx, names...)
		}),
		s.Like(checkEvents, p.Events),
	)
}

// depths asks queues for their depths, all at the same time.
func depths(queues map[string]Queue) func(ctx context.Context, names ...string) error {
	return func(ctx context.Context, names ...string) error {
		g, ctx := errgroup.WithContext(ctx)
		for _, name := range names {
			g.Go(func() error {
				_, err := queues[name].Depth(ctx)
				return err
			})
		}
		return g.Wait()
	}
}

// watchHealth logs what changes and shows it as a metric. Whoever scrapes asks,
// so that it is told without an orchestrator's probes too.
func watchHealth(h *telemetry.Health, reg prometheus.Registerer, log *zap.Logger) error {
	h.OnChange(func(r telemetry.CheckResult, after time.Duration) {
		if r.Status == telemetry.StatusOK {
			log.Info("readiness check passes again", zap.String("check", r.Name), zap.Duration("after", after))
			return
		}
		log.Warn("readiness check fails", zap.String("check", r.Name), zap.String("state", string(r.Status)), zap.String("reason", r.Error))
	})
	desc := prometheus.NewDesc("belfry_ready_check", "1 while a readiness check passes, else 0.", []string{"check"}, nil)
	return reg.Register(&readyGauge{health: h, desc: desc})
}

// readyGauge implements prometheus.Collector.
type readyGauge struct {
	health *telemetry.Health
	desc   *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (g *readyGauge) Describe(out chan<- *prometheus.Desc) { out <- g.desc }

// Collect implements prometheus.Collector.
func (g *readyGauge) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, r := range g.health.Ready(ctx).Checks {
		value := 0.0
		if r.Status == telemetry.StatusOK {
			value = 1
		}
		out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, r.Name)
	}
}
