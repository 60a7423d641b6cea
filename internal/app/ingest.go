package app

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/sameorigin"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// tenant owns everything until there are more than one: the single API key
// names it.
const tenant = "default"

// startIngest starts the HTTP API, the consumer of events, and what they rely on: the
// outbox with its sweeper, the janitor, and the removal of expired records. It
// returns the API's address.
func (s *service) startIngest(ctx context.Context, api config.API, listeners config.Listeners, tidy config.Janitor) (string, error) {
	if err := s.readyForIngest(); err != nil {
		return "", err
	}
	metrics := ingest.NewMetrics(s.reg)
	outbox := ingest.NewOutbox(s.backend.queues[push.QueueNotifications], s.backend.store, s.log, metrics)
	intake := ingest.NewIntake(s.backend.store, outbox, s.log, metrics, s.now)
	const grace = 5 * time.Second
	s.stack.background(ctx, "outbox", grace, outbox.Run)
	s.stack.background(ctx, "outbox sweeper", grace, ingest.NewSweeper(s.backend.store, outbox, s.log, s.now).Run)
	s.stack.background(ctx, "broom", grace, s.sweepExpired)

	const eventConcurrency = 32
	s.work(ctx, push.QueueEvents, worker.Config{Concurrency: eventConcurrency}, ingest.NewEvents(intake, tenant, s.log))

	kept, replays, err := s.startReplays(ctx)
	if err != nil {
		return "", err
	}
	if err := s.startJanitor(ctx, tidy, replays); err != nil {
		return "", err
	}
	reports := report.New(report.Config{
		Notifications: s.backend.store, Chunks: s.backend.store, Pages: s.backend.store, Devices: s.backend.store, Log: s.log,
		Flow: &breakers{docs: s.backend.store, log: s.log, now: s.now},
	})
	keys := door.NewKeys(map[string]string{api.Key.Reveal(): tenant})
	pages, err := sameorigin.New(sameorigin.Config{Listen: api.Listen, Allowed: listeners.AllowedHosts, AnyHost: !keys.Open()})
	if err != nil {
		return "", err
	}
	handler, err := httpapi.New(httpapi.Config{
		Letters: kept, Replays: replays, Operator: tenant,
		Intake: intake, Previews: fanout.NewPreviewer(s.backend.store), Batches: s.newBatches(), Devices: s.newRegistry(), Reports: reports,
		Answers: s.backend.store, Auth: keys, Pages: pages, Health: s.health, Registry: s.reg, Log: s.log, Now: s.now,
		Version: telemetry.Version(),
	})
	if err != nil {
		return "", err
	}
	addr, err := s.listen(ctx, "HTTP API", api.Listen, listeners, handler)
	if err != nil {
		return "", err
	}
	s.stack.onStop("watchers", grace, reports.Stop) // before the HTTP API, which waits for their streams
	s.announce(api, addr)
	return addr, nil
}

func (s *service) newBatches() *batch.Batches {
	return batch.New(batch.Config{
		Ledger: s.backend.store, Pages: s.backend.store, Tasks: s.backend.queues[push.QueueNotifications],
		Log: s.log, Metrics: batch.NewMetrics(s.reg), Now: s.now,
	})
}

func (s *service) newRegistry() *device.Registry {
	return device.New(device.Config{
		Writer: s.backend.store, Finder: s.backend.store, Log: s.log, Metrics: device.NewMetrics(s.reg), Now: s.now,
	})
}

// announce says where the API is, and how safe that is.
func (s *service) announce(api config.API, addr string) {
	if api.Key.IsZero() {
		s.log.Warn("no API key: every caller is let in, on the loopback interface only; set BELFRY_API_KEY to listen elsewhere",
			zap.String("listen", addr))
		return
	}
	s.log.Info("HTTP API is up", zap.String("listen", addr))
}

// Ingest runs the ingest service until ctx ends.
func Ingest(ctx context.Context, cfg config.Ingest, log *zap.Logger) error {
	warn(log, cfg)
	s, err := newService(ctx, log, cfg.Stop.Drain, opener(cfg.Store, log))
	if err != nil {
		return err
	}
	if _, err := s.startIngest(ctx, cfg.API, cfg.Listeners, cfg.Janitor); err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	return s.run(ctx)
}

// sweepExpired removes what has passed its time: answers kept for repeats, and
// devices long in quarantine.
func (s *service) sweepExpired(ctx context.Context) {
	const every, most = 10 * time.Minute, 1000
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		now := s.now()
		if _, err := s.backend.store.PurgeExpired(ctx, now, most); err != nil && ctx.Err() == nil {
			s.log.Warn("expired idempotency records not removed", zap.Error(err))
		}
		if _, err := s.backend.store.PurgeQuarantined(ctx, now.Add(-push.QuarantineKeep), most); err != nil && ctx.Err() == nil {
			s.log.Warn("devices past their quarantine not removed", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func baseURL(addr string) string { return "http://" + addr }
