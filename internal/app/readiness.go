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

// pulses are what a backend can be asked whether it does its work. A nil one is
// part of another, or is not there.
type pulses struct {
	ledger func(ctx context.Context) error // by a write
	pages  func(ctx context.Context) error
	events func(ctx context.Context) error // outgoing
	queues func(ctx context.Context, names ...string) error
}

// The names of the checks. What a program needs to do its job, and what it can
// do without, is said where it starts: readyForIngest, readyForDispatch and
// readyForDrain.
const (
	checkLedger     = "ledger"
	checkQueues     = "queues"
	checkOutbox     = "outbox"
	checkPages      = "pages"
	checkEvents     = "events"
	checkDead       = "dead-letter queues"
	checkCredential = "FCM credential" //nolint:gosec // a name, not a credential
)

// need registers a check that the program cannot do its job without. One that is
// registered already, by the other half of this process, stands.
func (s *service) need(name string, check telemetry.Check) error {
	return s.check(name, check, s.health.Register)
}

// like registers a check that it can do its job without.
func (s *service) like(name string, check telemetry.Check) error {
	return s.check(name, check, s.health.RegisterOptional)
}

func (s *service) check(name string, check telemetry.Check, register func(string, telemetry.Check) error) error {
	if check == nil || slices.Contains(s.checks, name) {
		return nil
	}
	s.checks = append(s.checks, name)
	return register(name, check)
}

// readyForIngest: the ledger is the acceptance. While the queue is away the
// outbox keeps what is accepted; without a place for pages single sends go on.
func (s *service) readyForIngest() error {
	p := s.backend.pulses
	return errors.Join(
		s.need(checkLedger, p.ledger),
		s.like(checkOutbox, func(ctx context.Context) error { return p.queues(ctx, push.QueueNotifications) }),
		s.like(checkPages, p.pages),
	)
}

// readyForDispatch: a dispatcher takes from queues, writes the ledger and, if it
// delivers, has to be let in by FCM. Events that are not published are lost to
// their subscribers, not to the ledger.
func (s *service) readyForDispatch(o dispatcherOptions) error {
	p := s.backend.pulses
	var names []string
	if o.fanout {
		names = append(names, push.QueueNotifications)
	}
	for _, name := range push.Queues() {
		if name != push.QueueNotifications && name != push.QueueEvents {
			names = append(names, name)
		}
	}
	return errors.Join(
		s.need(checkLedger, p.ledger),
		s.need(checkQueues, func(ctx context.Context) error { return p.queues(ctx, names...) }),
		s.like(checkPages, p.pages),
		s.like(checkEvents, p.events),
	)
}

// readyForDrain: dead letters go from their queues into the store.
func (s *service) readyForDrain() error {
	p := s.backend.pulses
	return errors.Join(
		s.need(checkLedger, p.ledger),
		s.need(checkDead, func(ctx context.Context) error {
			var names []string
			for _, name := range push.Queues() {
				names = append(names, push.DeadLetterQueue(name))
			}
			return p.queues(ctx, names...)
		}),
		s.like(checkEvents, p.events),
	)
}

// depths asks queues for their depths, all at the same time.
func depths(queues map[string]queue) func(ctx context.Context, names ...string) error {
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
	h.OnChange(func(r telemetry.CheckResult) {
		if r.Status == telemetry.StatusOK {
			log.Info("readiness check passes again", zap.String("check", r.Name))
			return
		}
		log.Warn("readiness check fails", zap.String("check", r.Name), zap.String("status", string(r.Status)), zap.String("reason", r.Error))
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
