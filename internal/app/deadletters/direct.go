package deadletters

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/breakers"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/tail"
)

// Direct is the API of the dead letters, served inside this process on the open
// backend: an operator's command does the same whether there is a server or not.
type Direct struct {
	replays *replay.Room
	http    *http.Client
	stack   *app.Stack
}

// DirectURL is the base URL under which [Direct.HTTP] finds the API.
const DirectURL = "http://in-process"

// OpenDirect opens the backend and serves the API; in the audit log, the calls are that local
// user's, from this machine. Close it when done.
func OpenDirect(ctx context.Context, c config.Store, user string, log *zap.Logger) (*Direct, error) {
	reg := prometheus.NewRegistry()
	b, err := app.Opener(c, log)(ctx, reg)
	if err != nil {
		return nil, err
	}
	d := &Direct{stack: app.NewStack(log)}
	const grace = 10 * time.Second
	d.stack.OnStop("backend", grace, b.Close)
	told := b.FollowBriefly(ctx, log, d.stack)
	record, shown, err := openAudit(ctx, b, c.AuditKey, reg, log, d.stack, told)
	if err != nil {
		return nil, errors.Join(err, d.stack.Unwind(ctx))
	}
	hub := tail.NewHub(told, b.Store, log, time.Now)
	d.stack.Background(ctx, "tail hub", grace, hub.Run)
	if err := d.serve(ctx, b, record, shown, hub, user, reg, log); err != nil {
		return nil, errors.Join(err, d.stack.Unwind(ctx))
	}
	return d, nil
}

// openAudit opens the log for calls past the services, which sign as they do or not at all: without their key it takes no
// entry, so that calls which belong into the log are refused, and all others are answered.
func openAudit(ctx context.Context, b *app.Backend, key config.Secret, reg prometheus.Registerer, log *zap.Logger, stack *app.Stack,
	told *tail.Source,
) (door.Auditor, httpapi.AuditLog, error) {
	if key.IsZero() {
		switch err := journal.CheckStored(ctx, b.Store, b.Store, access.DefaultName); {
		case errors.Is(err, journal.ErrOtherKey):
			return unsigned{}, httpapi.AuditLog{Entries: journal.NewReader(b.Store)}, nil
		case err != nil:
			return nil, httpapi.AuditLog{}, err
		}
	}
	record, err := app.OpenAudit(ctx, b, key, reg, log, stack)
	if err != nil {
		return nil, httpapi.AuditLog{}, err
	}
	record.Follow(told)
	return record, record.Routes(), nil
}

// unsigned is an audit log that this process has no key to sign in.
type unsigned struct{}

// Ready implements [door.Auditor].
func (unsigned) Ready() error { return door.Refuse(door.CodeForbidden, journal.ErrOtherKey.Error()) }

// Record implements [door.Auditor].
func (u unsigned) Record(context.Context, audit.Entry) error { return u.Ready() }

// Offer implements [door.Auditor]. What is offered was refused, and did nothing.
func (unsigned) Offer(audit.Entry) {}

func (d *Direct) serve(ctx context.Context, b *app.Backend, record door.Auditor, shown httpapi.AuditLog, hub *tail.Hub, user string,
	reg prometheus.Registerer, log *zap.Logger,
) error {
	kept, err := newLetters(b, letters.Retention{}, letters.NewMetrics(reg), log)
	if err != nil {
		return err
	}
	if d.replays, err = newReplays(b, kept, reg, log, nil); err != nil {
		return err
	}
	// Without the settings of a service it cannot say what of the credentials can be opened, only what is known of them.
	labels := &app.Labels{Room: credential.New(credential.Config{Documents: b.Store, Log: log, Now: time.Now}), Open: true}
	overrides := override.New(b.Store, time.Now, log)
	if err := overrides.Read(ctx); err != nil {
		return fmt.Errorf("read the overrides of breakers: %w", err)
	}
	d.stack.Background(ctx, "overrides of breakers", time.Second, overrides.Run)
	room := d.overview(ctx, b, labels, overrides, log)
	handler, err := httpapi.NewDeadLetters(httpapi.Direct{
		Status:   room,
		Events:   hub,
		Breakers: &app.BreakerControl{Docs: b.Store, Overrides: overrides, Labels: labels, Now: time.Now},
		Letters:  kept, Replays: d.replays, Answers: b.Store, Audit: record, AuditLog: shown, User: user, Log: log,
	})
	if err != nil {
		return err
	}
	ln := newPipes()
	srv := door.NewServer(handler, log)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln) // http.ErrServerClosed, or that of a listener that can't fail
	}()
	transport := &http.Transport{DialContext: ln.dial, DisableCompression: true}
	d.http = &http.Client{Transport: transport}
	const grace = 10 * time.Second
	d.stack.OnStop("API", grace, func(ctx context.Context) error {
		transport.CloseIdleConnections()
		err := srv.Shutdown(ctx)
		if err != nil {
			err = srv.Close()
		}
		return errors.Join(err, app.WaitFor(ctx, ended))
	})
	d.stack.OnStop("listeners", grace, func(context.Context) error { hub.Stop(); return nil }) // before the API, which waits for them
	return nil
}

// overview opens the status of the backend, with more patience than a server has: nobody has read it before.
func (d *Direct) overview(ctx context.Context, b *app.Backend, labels *app.Labels, overrides *override.Room, log *zap.Logger) *status.Room {
	const patience, sums, grace = 5 * time.Second, 200 * time.Millisecond, time.Second
	pauses := app.Pauses{Pauses: pause.New(b.Store, time.Now, log)}
	if err := pauses.Read(ctx); err != nil {
		log.Warn("pauses cannot be read: what waits for one does not say so", zap.Error(err))
	}
	d.stack.Background(ctx, "pauses", time.Second, pauses.Run)
	reports := report.New(report.Config{
		Notifications: b.Store, Chunks: b.Store, Pages: b.Store, Devices: b.Store, Log: log,
		Flow:   &breakers.Flow{Notes: breakers.NewNotes(b.Store, log, time.Now), Labels: labels, Overrides: overrides},
		Pauses: pauses,
	})
	room := app.NewStatus(b, app.Overview{
		Reports: reports, Replays: d.replays, Pauses: pauses.Pauses, Overrides: overrides, Budget: patience, Sums: sums,
	}, time.Now)
	d.stack.OnStop("status", grace, func(context.Context) error { room.Close(); return nil })
	return room
}

// HTTP returns the client that reaches the API, and nothing else.
func (d *Direct) HTTP() *http.Client { return d.http }

// Execute executes a replay in this process, taking it over from any other. When
// ctx ends, the letters in hand are finished.
func (d *Direct) Execute(ctx context.Context, id string) error {
	_, err := d.replays.Run(ctx, push.ID(id))
	return err
}

// Close stops serving and closes the backend.
func (d *Direct) Close(ctx context.Context) error { return d.stack.Unwind(ctx) }
