// Package allinone is `belfry up`: ingest and dispatcher in one process, with the FCM
// simulator beside them if it is a sandbox; and the simulator alone.
package allinone

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/dispatcher"
	"github.com/belfry-push/belfry/internal/app/ingester"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/wire"
)

// Hooks let whoever starts a service in-process see inside. All are optional.
type Hooks struct {
	Ready func(Addresses)  // everything listens
	Event func(wire.Event) // an outgoing event; must be quick
	// WaitScale shortens the waits between tries to a part of what FCM asks for; 0 is
	// all. No setting has it: it is for a simulator.
	WaitScale float64
	// Spans gets the spans, in place of the collector that the environment names.
	Spans trace.Recorder
	// Metrics gets lines for CloudWatch, if the settings ask for them.
	Metrics io.Writer
	// FirstKey is as in [ingester.Entrance].
	FirstKey func(text string) error
}

// Addresses says where a service listens, as base URLs.
type Addresses struct {
	API   string
	Sim   string // with the simulator only
	Keyed bool   // callers must send an API key
}

// Up runs ingest and dispatcher, and with Sandbox the simulator, in one process
// until ctx ends.
func Up(ctx context.Context, cfg config.Up, log *zap.Logger, hooks Hooks) error {
	app.Warn(log, cfg)
	s, err := app.NewService(ctx, log, cfg.Stop.Drain, app.Opener(cfg.Store, log))
	if err != nil {
		return err
	}
	s.WriteEMF(ctx, cfg.CloudWatch, cfg.Store, status.KindAllInOne, hooks.Metrics)
	if hooks.Spans != nil {
		s.Tracer = trace.New(hooks.Spans, s.Now)
	}
	addresses, err := startUp(ctx, s, cfg, hooks)
	if err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	s.As(status.KindAllInOne)
	if hooks.Ready != nil {
		hooks.Ready(addresses)
	}
	return s.Run(ctx)
}

func startUp(ctx context.Context, s *app.Service, cfg config.Up, hooks Hooks) (out Addresses, err error) {
	if hooks.Event != nil && s.Backend.Bus != nil {
		s.Backend.Bus.Subscribe(hooks.Event)
	}
	o := dispatcher.Options{
		Fanout: true, Deliver: true, PerSecond: float64(cfg.FCM.PerSecond), Delivery: cfg.Delivery, WaitScale: hooks.WaitScale,
		Seal: cfg.Seal, SharedQuota: cfg.FCM.SharesQuota(true, cfg.Store.Backend),
	}
	if cfg.Sandbox {
		sim, err := startSim(s, cfg.Simulator, cfg.Listeners) //nolint:contextcheck // it serves until the stack unwinds
		if err != nil {
			return out, err
		}
		out.Sim = strings.TrimSuffix(sim.URL(), "/v1")
		// Ten seconds, FCM's least, so that hanging tokens show within a demo.
		const timeout = 10 * time.Second
		o.FCM = fcm.Config{
			Endpoint: sim.URL(), Project: dispatcher.SandboxProject, Connections: cfg.FCM.Connections, HTTP: cfg.FCM.HTTP, Timeout: timeout,
		}
	} else {
		if o.FCM, err = dispatcher.FCMConfig(ctx, cfg.FCM, s.Warn); err != nil {
			return out, err
		}
		o.Ramp = dispatcher.RampFor(cfg.FCM.Endpoint)
	}
	if err := dispatcher.Start(ctx, s, o); err != nil {
		return out, err
	}
	asking := ingester.Credentials{Seal: cfg.Seal, Endpoint: o.FCM.Endpoint, Open: o.FCM.Project != "" && o.FCM.TokenSource == nil}
	door := ingester.Entrance{API: cfg.API, Sandbox: cfg.Sandbox, FirstKey: hooks.FirstKey}
	at, err := ingester.Start(ctx, s, cfg.Store.AuditKey, door, asking, cfg.Listeners, cfg.Janitor, cfg.Keep)
	out.API, out.Keyed = "http://"+at.Addr, at.Keyed
	return out, err
}

// startSim starts a simulator that stops with the service.
func startSim(s *app.Service, c config.Simulator, l config.Listeners) (*fcmsim.Sim, error) {
	sim, err := newSim(config.Sim{Simulator: c, Listeners: l}, s.Log)
	if err != nil {
		return nil, err
	}
	const grace = 5 * time.Second
	s.Stack.OnStop("FCM simulator", grace, sim.Stop)
	return sim, nil
}

func newSim(c config.Sim, log *zap.Logger) (*fcmsim.Sim, error) {
	const sigma = 0.3 // the slowest of a hundred answers takes twice the median
	sim, err := fcmsim.New(fcmsim.Config{
		Project: dispatcher.SandboxProject, Listen: c.Simulator.Listen, Latency: fcmsim.Latency{Median: c.Simulator.Latency, Sigma: sigma},
		QuotaPerMinute: c.Simulator.Quota, Keep: c.Simulator.Keep, Logger: log,
		AllowedHosts: c.Listeners.AllowedHosts, MaxConnections: c.Listeners.MaxConnections,
		Lean: c.Lean,
	})
	if err != nil {
		return nil, err
	}
	if err := sim.Start(); err != nil {
		return nil, err
	}
	return sim, nil
}

// Sim runs the FCM simulator alone until ctx ends.
func Sim(ctx context.Context, cfg config.Sim, log *zap.Logger, ready func(Addresses)) error {
	app.Starting(log)
	app.Warn(log, cfg)
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
