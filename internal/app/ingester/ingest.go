// Package ingester is ingest as a program: the HTTP API, the consumer of events, the janitor and
// replays on the backend. It never sends anything to FCM.
package ingester

import (
	"context"
	"errors"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/breakers"
	"github.com/belfry-push/belfry/internal/app/deadletters"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/closing"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/sameorigin"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// tenant is whose events, and whose the key of the settings, are.
const tenant = access.DefaultName

// At says where the API is.
type At struct {
	Addr  string
	Keyed bool // requests need an API key
}

// Start starts the HTTP API, the consumer of events, and what they rely on: the
// outbox with its sweeper, the janitor, and the removal of what is past its retention. It
// returns where the API is.
func Start(ctx context.Context, s *app.Service, auditKey config.Secret, door Entrance, asking Credentials, listeners config.Listeners,
	tidy config.Janitor, keep config.Keep,
) (At, error) {
	if err := s.ReadyForIngest(); err != nil {
		return At{}, err
	}
	ring, err := app.NewRing(ctx, s, asking.Seal)
	if err != nil {
		return At{}, err
	}
	room := newCredentials(s, asking, ring)
	metrics := ingest.NewMetrics(s.Reg)
	s.ShowAccepted(metrics.Accepted())
	outbox := ingest.NewOutbox(s.Backend.Queues[push.QueueNotifications], s.Backend.Store, s.Log, metrics)
	directory := access.New(s.Backend.Store, s.Now).SealWith(app.Sealer(ring)).KeepFor(keepDays(s.Backend, keep))
	effects, err := s.Effects()
	if err != nil {
		return At{}, err
	}
	const grace = 5 * time.Second
	quotas, err := s.Quotas(ctx)
	if err != nil {
		return At{}, err
	}
	intake := ingest.NewIntake(s.Backend.Store, outbox, effects, s.Log, metrics, s.Now).Within(quotas)
	s.Stack.Background(ctx, "outbox", grace, outbox.Run)
	s.Stack.Background(ctx, "outbox sweeper", grace, ingest.NewSweeper(s.Backend.Store, outbox, s.Log, s.Now).Run)

	log, err := app.OpenAudit(ctx, s.Backend, auditKey, s.Reg, s.Log, s.Stack) // before whatever records
	if err != nil {
		return At{}, err
	}
	log.Before(s.Backend, intake)
	log.Follow(s.Tail)
	intake.Telling(tellAccepted(s.Tail))
	const eventConcurrency = 32
	s.Work(ctx, push.QueueEvents, worker.Config{Concurrency: eventConcurrency}, ingest.NewEvents(intake, tenant, log, s.Log).Traced(s.Tracer))

	kept, replays, err := deadletters.Serve(ctx, s)
	if err != nil {
		return At{}, err
	}
	if err := startJanitor(ctx, s, tidy, replays); err != nil {
		return At{}, err
	}
	used, err := startUsage(ctx, s)
	if err != nil {
		return At{}, err
	}
	startRetention(ctx, s, keep, kept, replays, used, log)
	paused, err := s.Pauses(ctx)
	if err != nil {
		return At{}, err
	}
	batches := newBatches(s, quotas)
	startClosing(ctx, s, closing.Config{Directory: directory, Canceller: batches, Replays: replays, Credentials: room, Pauses: paused})
	overrides, err := s.Overrides(ctx)
	if err != nil {
		return At{}, err
	}
	labels := &app.Labels{Room: room, Open: asking.Open}
	reports := report.New(report.Config{
		Notifications: s.Backend.Store, Chunks: s.Backend.Store, Pages: s.Backend.Store, Devices: s.Backend.Store, Log: s.Log,
		Flow:   &breakers.Flow{Notes: breakers.NewNotes(s.Backend.Store, s.Log, s.Now), Labels: labels, Overrides: overrides},
		Pauses: paused, Quotas: app.Deferrals{Quotas: quotas},
	})
	openWork := report.NewOpenWork(s.Backend.Store, s.Log, report.NewOpenMetrics(s.Reg, s.Now), s.Now)
	s.Stack.Background(ctx, "open work", grace, openWork.Run)
	seen := app.NewStatus(s.Backend, app.Overview{Reports: reports, Replays: replays, Pauses: paused.Pauses, Overrides: overrides}, s.Now)
	s.Stack.OnStop("status readings", grace, func(context.Context) error { seen.Close(); return nil })
	required, err := door.requiresKey(ctx, s, directory)
	if err != nil {
		return At{}, err
	}
	keys, err := access.NewAuthenticator(access.AuthConfig{
		Directory: directory, Fixed: access.NewKeys(map[string]string{door.Key.Reveal(): tenant}), Open: !required, Log: s.Log,
	})
	if err != nil {
		return At{}, err
	}
	s.Stack.OnStop("API keys", grace, func(context.Context) error { keys.Close(); return nil })
	pages, err := sameorigin.New(sameorigin.Config{Listen: door.Listen, Allowed: listeners.AllowedHosts, AnyHost: !keys.Open()})
	if err != nil {
		return At{}, err
	}
	requests, err := startPrivacy(ctx, s, kept)
	if err != nil {
		return At{}, err
	}
	erased, _, err := s.Tombstones(ctx)
	if err != nil {
		return At{}, err
	}
	hub := tail.NewHub(s.Tail, s.Backend.Store, s.Log, s.Now)
	s.Stack.Background(ctx, "tail hub", grace, hub.Run)
	handler, err := httpapi.New(httpapi.Config{
		Letters: kept, Replays: replays, Pauses: paused,
		Breakers: &app.BreakerControl{Docs: s.Backend.Store, Overrides: overrides, Labels: labels, Now: s.Now},
		Intake:   intake, Previews: fanout.NewPreviewer(s.Backend.Store), Batches: batches,
		Devices: newRegistry(s, erased), Reports: reports,
		Ledger: s.Backend.Store, Directory: directory, Entrance: keys, Usage: used,
		Privacy: requests, Credentials: room,
		Answers: s.Backend.Store, Auth: keys, Quotas: quotas, Approvals: directory, Audit: log, AuditLog: log.Routes(),
		Pages: pages, Health: s.Health, Registry: s.Reg, Log: s.Log, Now: s.Now, Tracer: s.Tracer,
		Events: hub, Status: seen, Version: telemetry.Version(),
	})
	if err != nil {
		return At{}, err
	}
	addr, err := s.Listen(ctx, "HTTP API", door.Listen, listeners, handler)
	if err != nil {
		return At{}, err
	}
	s.Stack.OnStop("listeners", grace, func(context.Context) error { hub.Stop(); return nil })
	s.Stack.OnStop("watchers", grace, reports.Stop) // before the HTTP API, which waits for their streams
	announce(s, required, addr)
	return At{addr, required}, nil
}

func newBatches(s *app.Service, quotas *quota.Quotas) *batch.Batches {
	return batch.New(batch.Config{
		Ledger: s.Backend.Store, Pages: s.Backend.Store, Tasks: s.Backend.Queues[push.QueueNotifications], Quotas: quotas,
		Log: s.Log, Metrics: batch.NewMetrics(s.Reg), Now: s.Now, Changed: tellChanged(s.Tail), Ended: publishEnded(s),
	})
}

func newRegistry(s *app.Service, erased *privacy.Tombstones) *device.Registry {
	return device.New(device.Config{
		Writer: s.Backend.Store, Finder: s.Backend.Store, Consents: erased, Log: s.Log, Metrics: device.NewMetrics(s.Reg), Now: s.Now,
	})
}

// Run runs the ingest service until ctx ends. firstKey is [Entrance.FirstKey]; out gets lines for CloudWatch, if they are asked
// for.
func Run(ctx context.Context, cfg config.Ingest, log *zap.Logger, firstKey func(text string) error, out io.Writer) error {
	app.Warn(log, cfg)
	s, err := app.NewService(ctx, log, cfg.Stop.Drain, app.Opener(cfg.Store, log))
	if err != nil {
		return err
	}
	s.WriteEMF(ctx, cfg.CloudWatch, cfg.Store, status.KindIngest, out)
	asking := Credentials{Seal: cfg.Seal, Endpoint: cfg.Asking.Endpoint}
	asking.Open = asking.private() // only dispatchers know for sure
	door := Entrance{API: cfg.API, FirstKey: firstKey}
	if _, err := Start(ctx, s, cfg.Store.AuditKey, door, asking, cfg.Listeners, cfg.Janitor, cfg.Keep); err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	s.As(status.KindIngest)
	return s.Run(ctx)
}
