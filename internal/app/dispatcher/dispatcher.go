package dispatcher

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/breakers"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/deliver/isolation"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Options are what a dispatcher can be told.
type Options struct {
	Fanout, Deliver bool
	FCM             fcm.Config    // of the senders, if it is to deliver; without a project there is no credential for all
	Seal            config.Seal   // of the credentials of apps
	PerSecond       float64       // with a project
	SharedQuota     bool          // all processes together keep to PerSecond
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
	quotas, err := s.Quotas(ctx)
	if err != nil {
		return err
	}
	f, err := fanout.New(fanout.Config{
		Notifications: s.Backend.Store, Lines: s.Backend.Store, Pages: s.Backend.Store, Devices: s.Backend.Store, Erasures: erased,
		Quotas: quotas,
		Tasks:  s.Backend.Queues[push.QueueNotifications], Chunks: lanes(s), Completed: outcomes.Completed, Settled: outcomes.Settled,
		RecordUnknown: o.Delivery.RecordUnknownDevices, Log: s.Log, Metrics: fanout.NewMetrics(s.Reg, s.Outcomes), Now: s.Now, Tracer: s.Tracer,
	})
	if err != nil {
		return err
	}
	s.Stack.OnStop("device cache", time.Second, func(context.Context) error { f.Close(); return nil })
	const concurrency, pollers = 64, 2
	s.Work(ctx, push.QueueNotifications, worker.Config{Concurrency: concurrency, Pollers: pollers}, f)
	return nil
}

// defaultTenant is the tenant that the installation's own credential is of.
const defaultTenant = "default"

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
	ways, err := newChannels(ctx, s, o, outcomes)
	if err != nil {
		return err
	}
	encoder, err := fcm.NewEncoder(ctx)
	if err != nil {
		return err
	}
	erased, _, err := s.Tombstones(ctx)
	if err != nil {
		return err
	}
	paused, err := s.Pauses(ctx)
	if err != nil {
		return err
	}
	effects, err := s.Effects()
	if err != nil {
		return err
	}
	metrics, alone := deliver.NewMetrics(s.Reg, s.Outcomes), isolation.New()
	for _, lane := range shares(o.Delivery.Lanes) {
		d, err := deliver.New(deliver.Config{
			Owner: app.Owner() + "/" + string(lane.lane), Notifications: s.Backend.Store, Lines: s.Backend.Store, Channels: ways, Encoder: encoder,
			Erasures: erased, Isolation: alone, Pauses: paused, Terms: terms{effects}, Outcomes: outcomes, Chunks: lanes(s),
			Dead: s.Backend.Queues[push.DeadLetterQueue(push.DeliveryQueue(lane.lane))],
			Lane: lane.lane, Window: lane.window, Retries: lane.retries, Brake: o.Delivery.BrakeAfter,
			MaxAttempts: o.Delivery.MaxAttempts, MaxElapsed: maxElapsed, Backoff: guard.Backoff{Scale: o.WaitScale},
			Software: telemetry.Version(),
			Log:      s.Log, Metrics: metrics, Now: s.Now, Elapsed: s.Elapsed, Rand: newRand(), Tracer: s.Tracer,
		})
		if err != nil {
			return err
		}
		s.Stack.OnStop("notification cache", time.Second, func(context.Context) error { d.Close(); return nil })
		s.Work(ctx, push.DeliveryQueue(lane.lane), worker.Config{Concurrency: lane.chunks}, d)
	}
	s.ShowWaits(metrics.TimeToFCM())
	s.Show(func(_ context.Context, p *status.Process) {
		for _, lane := range shares(o.Delivery.Lanes) {
			for i := range p.Workers {
				if w := &p.Workers[i]; w.Lane == string(lane.lane) {
					w.Window = lane.window
				}
			}
		}
		p.Credentials = ways.show()
	})
	return nil
}

// newChannels opens the way to FCM: the connections, the installation's own credential if there is
// one, and what makes channels for the apps.
func newChannels(ctx context.Context, s *app.Service, o Options, outcomes *outcome.Outcomes) (*channels, error) {
	ring, err := app.NewRing(ctx, s, o.Seal)
	if err != nil {
		return nil, err
	}
	pool, err := fcm.NewPool(ctx, o.FCM, s.Log, fcm.NewMetrics(s.Reg))
	if err != nil {
		return nil, fmt.Errorf("FCM: %w", err)
	}
	const closing, verdicts = 5 * time.Second, 1000
	s.Stack.OnStop("FCM connections", closing, pool.Close)
	guards, err := newGuards(ctx, s, o, outcomes)
	if err != nil {
		return nil, err
	}
	c := &channels{
		pool: pool, exchange: fcm.NewExchange(), guards: guards, elapsed: s.Elapsed, log: s.Log, judged: make(chan verdict, verdicts),
		apps: map[credential.Ref]*appChannel{},
		room: credential.New(credential.Config{Documents: s.Backend.Store, Ring: ring, Log: s.Log, Now: s.Now, Refused: tell(outcomes)}),
	}
	if err := c.openOwn(s, o); err != nil {
		return nil, err
	}
	if err := s.Like("FCM credentials of apps", c.usable); err != nil {
		return nil, err
	}
	s.Stack.OnStop("FCM senders", closing, func(ctx context.Context) error { c.close(ctx); return nil })
	s.Stack.Background(ctx, "FCM credentials", closing, c.run)
	return c, nil
}

// openOwn opens the channel of the installation's own credential, if there is one. Without it
// nothing but what apps bring can be sent, which is no reason not to be ready.
func (c *channels) openOwn(s *app.Service, o Options) error {
	if o.FCM.Project == "" {
		return nil
	}
	sender, err := c.pool.Sender(fcm.Identity{Project: o.FCM.Project, Tokens: o.FCM.TokenSource, Shown: true})
	if err != nil {
		return err
	}
	const closing = 5 * time.Second
	s.Stack.OnStop("FCM sender", closing, sender.Close)
	if err := s.Need(checkCredential, func(context.Context) error { return sender.Credential() }); err != nil {
		return err
	}
	g, err := c.guards.take(o.FCM.Project, false)
	if err != nil {
		return err
	}
	c.ownSender, c.ownGuard = sender, g
	c.own, c.everybody = &deliver.Channel{Sender: sender, Guard: g.Guard, Held: new(atomic.Int64)}, o.FCM.TokenSource == nil
	return nil
}

// tell publishes that a credential is refused.
func tell(outcomes *outcome.Outcomes) func(context.Context, credential.Credential) {
	return func(ctx context.Context, c credential.Credential) {
		outcomes.CredentialInvalid(ctx, wire.CredentialInvalid{
			App: c.App, At: c.CheckedAt, KeyID: c.KeyID, Project: c.Project, Reason: c.Reason, Tenant: c.Tenant,
		})
	}
}

func newGuards(ctx context.Context, s *app.Service, o Options, outcomes *outcome.Outcomes) (*guards, error) {
	metrics, err := guard.NewMetrics(s.Reg)
	if err != nil {
		return nil, err
	}
	n := breakers.NewChanges(breakers.NewNotes(s.Backend.Store, s.Log, s.Now), s.Now, func(ctx context.Context, c guard.Change) {
		outcomes.BreakerChanged(ctx, wire.BreakerChanged{
			Credential: c.Credential, From: c.From.String(), To: c.To.String(), At: c.At, Until: c.Until, Cause: c.Cause,
			By: c.By, Reason: c.Reason,
		})
	})
	common, err := newQuotas(ctx, s, o)
	if err != nil {
		return nil, err
	}
	shares := newWeights(access.New(s.Backend.Store, s.Now).Effective, s.Log)
	s.Stack.Background(ctx, "weights of tenants", time.Second, shares.Run)
	overrides, err := s.Overrides(ctx)
	if err != nil {
		return nil, err
	}
	all := &guards{all: map[string]*sharedGuard{}, overrides: overrides}
	all.make = func(label string, ramp bool) (*guard.Guard, error) { //nolint:contextcheck // Close ends a guard
		cfg := guard.DefaultConfig(label)
		cfg.PerSecond, cfg.Weights = o.PerSecond, shares
		if ramp {
			cfg.Ramp = o.Ramp
		} else {
			cfg.Ramp = 0
		}
		if err := common.share(&cfg); err != nil {
			return nil, err
		}
		return guard.New(cfg, s.Now, newRand(), s.Log, metrics, n.Tell)
	}
	const grace = 10 * time.Second
	// the breakers move until the lanes have ended
	s.Stack.Background(ctx, "hands on breakers", time.Second, all.follow)
	s.Stack.Background(ctx, "breaker changes", grace, func(ctx context.Context) { n.Run(ctx, all.list) })
	return all, nil
}

func newRand() *rand.Rand {
	return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // jitter, not secrets
}
