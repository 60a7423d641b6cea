package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/wire"
)

// Dispatcher runs the dispatcher service until ctx ends.
func Dispatcher(ctx context.Context, cfg config.Dispatcher, log *zap.Logger) error {
	warn(log, cfg)
	s, err := newService(ctx, log, cfg.Stop.Drain, opener(cfg.Store, log))
	if err != nil {
		return err
	}
	o := dispatcherOptions{
		fanout: cfg.Roles.Has(config.RoleFanout), deliver: cfg.Roles.Has(config.RoleDeliver),
		perSecond: float64(cfg.FCM.PerSecond), ramp: fcmRamp, maxAttempts: cfg.Delivery.MaxAttempts, brake: cfg.Delivery.BrakeAfter,
		lanes: cfg.Delivery.Lanes, recordUnknown: cfg.Delivery.RecordUnknownDevices,
	}
	if o.deliver {
		if o.fcm, err = fcmConfig(ctx, cfg.FCM, s.warn); err != nil {
			return errors.Join(err, s.stack.unwind(ctx))
		}
		o.ramp = rampFor(cfg.FCM.Endpoint)
	}
	if err := s.startDispatcher(ctx, o); err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	roles := []zap.Field{zap.Bool("fanout", o.fanout), zap.Bool("deliver", o.deliver)}
	if err := s.serveProbes(ctx, cfg.Metrics, cfg.Listeners, "dispatcher is up", roles...); err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	return s.run(ctx)
}

// fcmRamp is how long a fresh process takes to reach its full pace: FCM asks for
// at least a minute (https://firebase.google.com/docs/cloud-messaging/scale-fcm).
const fcmRamp = time.Minute

// rampFor spares a simulator the ramp.
func rampFor(endpoint string) time.Duration {
	if endpoint == fcm.DefaultEndpoint {
		return fcmRamp
	}
	return 0
}

// sandboxProject is the project of a simulator that asks for no credentials.
const sandboxProject = "belfry-sandbox"

// fcmConfig turns settings into the sender's. Only a place that isn't Google's
// may be called without credentials.
func fcmConfig(ctx context.Context, c config.FCM, warn func(string)) (fcm.Config, error) {
	out := fcm.Config{Endpoint: c.Endpoint, Project: c.Project, Connections: c.Connections, HTTP: c.HTTP}
	if c.Credentials == "" && c.Private() {
		if out.Project == "" {
			out.Project = sandboxProject
		}
		return out, nil
	}
	file := c.Credentials
	if file == config.ApplicationDefault {
		file = ""
	}
	credential, err := fcm.Credentials(ctx, file)
	if err != nil {
		return fcm.Config{}, err
	}
	for _, w := range credential.Warnings {
		warn(w)
	}
	switch {
	case out.Project == "":
		out.Project = credential.Project
	case credential.Project != "" && credential.Project != out.Project:
		warn(fmt.Sprintf("the FCM key is of the project %s, and sends go to %s (BELFRY_FCM_PROJECT): FCM refuses them unless that project "+
			"lets the account in",
			credential.Project, out.Project))
	}
	out.TokenSource = credential.Tokens
	return out, nil
}

// Hooks let whoever starts a service in-process see inside. All are optional.
type Hooks struct {
	Ready func(Addresses)  // everything listens
	Event func(wire.Event) // an outgoing event; must be quick
}

// Addresses says where a service listens, as base URLs.
type Addresses struct {
	API string
	Sim string // with the simulator only
}

// Up runs ingest and dispatcher, and with Sandbox the simulator, in one process
// until ctx ends.
func Up(ctx context.Context, cfg config.Up, log *zap.Logger, hooks Hooks) error {
	warn(log, cfg)
	s, err := newService(ctx, log, cfg.Stop.Drain, opener(cfg.Store, log))
	if err != nil {
		return err
	}
	addresses, err := s.startUp(ctx, cfg, hooks)
	if err != nil {
		return errors.Join(err, s.stack.unwind(ctx))
	}
	if hooks.Ready != nil {
		hooks.Ready(addresses)
	}
	return s.run(ctx)
}

func (s *service) startUp(ctx context.Context, cfg config.Up, hooks Hooks) (out Addresses, err error) {
	if hooks.Event != nil && s.backend.bus != nil {
		s.backend.bus.Subscribe(hooks.Event)
	}
	o := dispatcherOptions{
		fanout: true, deliver: true, perSecond: float64(cfg.FCM.PerSecond),
		maxAttempts: cfg.Delivery.MaxAttempts, brake: cfg.Delivery.BrakeAfter, lanes: cfg.Delivery.Lanes,
		recordUnknown: cfg.Delivery.RecordUnknownDevices,
	}
	if cfg.Sandbox {
		sim, err := s.startSim(cfg.Simulator, cfg.Listeners) //nolint:contextcheck // it serves until the stack unwinds
		if err != nil {
			return out, err
		}
		out.Sim = strings.TrimSuffix(sim.URL(), "/v1")
		// Ten seconds, FCM's least, so that hanging tokens show within a demo.
		const timeout = 10 * time.Second
		o.fcm = fcm.Config{Endpoint: sim.URL(), Project: sandboxProject, Connections: cfg.FCM.Connections, HTTP: cfg.FCM.HTTP, Timeout: timeout}
	} else {
		if o.fcm, err = fcmConfig(ctx, cfg.FCM, s.warn); err != nil {
			return out, err
		}
		o.ramp = rampFor(cfg.FCM.Endpoint)
	}
	if err := s.startDispatcher(ctx, o); err != nil {
		return out, err
	}
	addr, err := s.startIngest(ctx, cfg.API, cfg.Listeners, cfg.Janitor)
	out.API = baseURL(addr)
	return out, err
}

// startSim starts a simulator that stops with the service.
func (s *service) startSim(c config.Simulator, l config.Listeners) (*fcmsim.Sim, error) {
	sim, err := newSim(config.Sim{Simulator: c, Listeners: l}, s.log)
	if err != nil {
		return nil, err
	}
	const grace = 5 * time.Second
	s.stack.onStop("FCM simulator", grace, sim.Stop)
	return sim, nil
}

func newSim(c config.Sim, log *zap.Logger) (*fcmsim.Sim, error) {
	const sigma = 0.3 // the slowest of a hundred answers takes twice the median
	sim, err := fcmsim.New(fcmsim.Config{
		Project: sandboxProject, Listen: c.Simulator.Listen, Latency: fcmsim.Latency{Median: c.Simulator.Latency, Sigma: sigma},
		QuotaPerMinute: c.Simulator.Quota, Logger: log, AllowedHosts: c.Listeners.AllowedHosts, MaxConnections: c.Listeners.MaxConnections,
		Lean: c.Lean,
	})
	if err != nil {
		return nil, err
	}
	if err := sim.Start(); err != nil {
		return nil, err
	}
	log.Info("FCM simulator is up; nothing goes to Google", zap.String("endpoint", sim.URL()))
	return sim, nil
}

// Sim runs the FCM simulator alone until ctx ends.
func Sim(ctx context.Context, cfg config.Sim, log *zap.Logger, ready func(Addresses)) error {
	warn(log, cfg)
	sim, err := newSim(cfg, log) //nolint:contextcheck // it serves until it is stopped
	if err != nil {
		return err
	}
	if ready != nil {
		ready(Addresses{Sim: strings.TrimSuffix(sim.URL(), "/v1")})
	}
	<-ctx.Done()
	const grace = 5 * time.Second
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return sim.Stop(stop)
}
