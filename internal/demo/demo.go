// Package demo shows the main job in half a minute: a batch with every kind of
// trouble goes from the API to devices while FCM fails in the middle, what
// failed for good is replayed from the dead letters, and afterwards Belfry's
// ledger is compared with the simulator's own.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/visible"
)

const (
	// outage is how long FCM is down in the middle.
	outage = 3 * time.Second
	// attempts is how often a delivery is tried, so that dead letters do not take
	// the hours that they take with the eight of production.
	attempts = 2
	// waitScale is of the waits between tries: 4 to 8 s in place of FCM's 10 to 20 s, and
	// longer than the outage.
	waitScale = 0.4
)

// message is what the demo sends.
const message = `{"notification":{"title":"The bells are ringing","body":"Belfry says hello 🔔"},"data":{"demo":"yes"},` +
	`"android":{"priority":"HIGH"}}`

// Run shows the demo and returns an error if anything did not end as it should.
// What it does goes to out, progress to screen.
func Run(ctx context.Context, c config.Demo, log *zap.Logger, out, screen io.Writer) error {
	s := &show{cfg: c, log: log, out: visible.NewWriter(out), display: progress.New(screen, isTerminal(screen)), begun: time.Now()}
	return s.within(func() error { return s.run(ctx) })
}

// within plays in a directory of its own.
func (s *show) within(play func() error) (err error) {
	if s.dir, err = os.MkdirTemp("", "belfry-demo-"); err != nil {
		return fmt.Errorf("demo: data directory: %w", err)
	}
	return errors.Join(play(), os.RemoveAll(s.dir))
}

// show is one run of the demo.
type show struct {
	cfg     config.Demo
	log     *zap.Logger
	out     io.Writer
	dir     string
	display *progress.Display
	begun   time.Time

	api *client.Client
	sim *simulator
}

func (s *show) run(ctx context.Context) error {
	up, stop, err := s.start(ctx, s.settings(attempts), allinone.Hooks{Event: s.event, WaitScale: waitScale})
	if err != nil {
		return err
	}
	defer stop()
	s.say("belfry is up on a fresh %s backend:\n  API %s, FCM simulator %s", s.cfg.Backend, up.API, up.Sim)
	s.say("  console %s/console", up.API)
	s.say("  %d tries a device, %.0f %% of FCM's waits between them: half a minute in all", attempts, 100*waitScale)

	devices := newRecipients(s.cfg.Recipients, mix())
	recipients := filepath.Join(s.dir, "recipients.ndjson")
	if err := devices.write(recipients); err != nil {
		return err
	}
	if err := s.importDevices(ctx, devices); err != nil {
		return err
	}
	id, err := s.upload(ctx, recipients)
	if err != nil {
		return err
	}
	final, err := s.deliver(ctx, id)
	if err != nil {
		return err
	}
	if final.Counts == nil {
		return errors.New("the batch has no counts")
	}
	if err := s.counts("How the batch ended:", final.Counts); err != nil {
		return err
	}
	if err := s.trouble(ctx, devices, id); err != nil {
		return err
	}
	if final, err = s.replay(ctx, final); err != nil {
		return err
	}
	s.say("")
	if err := s.check(ctx, devices, final); err != nil {
		return err
	}
	if !s.cfg.Keep {
		s.end(ctx, "")
		return nil
	}
	s.took()
	s.say("still serving: a batch, an outage and a replay a minute, to be seen at  %s/console   (Ctrl-C ends it)", up.API)
	return s.again(ctx)
}

// end says how long it took and, if it is to be kept, serves on until ctx ends.
func (s *show) end(ctx context.Context, try string) {
	s.took()
	if s.cfg.Keep {
		s.say("still serving: try  %s   (Ctrl-C ends it)", try)
		<-ctx.Done()
	}
}

func (s *show) took() { s.say("done in %.0f s", time.Since(s.begun).Seconds()) }

func (s *show) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// start runs the whole pipeline in this process, until stop is called.
func (s *show) start(ctx context.Context, cfg config.Up, hooks allinone.Hooks) (up allinone.Addresses, stop func(), err error) {
	if s.cfg.Backend == config.BackendAWS {
		if err := operations.ProvisionStandIns(ctx, s.aws()); err != nil {
			return up, nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan allinone.Addresses, 1)
	ended := make(chan error, 1)
	hooks.Ready = func(a allinone.Addresses) { ready <- a }
	go func() { ended <- allinone.Up(ctx, cfg, s.log, hooks) }()
	stop = func() {
		cancel()
		s.log.Debug("stopped", zap.Error(<-ended))
	}
	select {
	case up = <-ready:
	case err := <-ended:
		cancel()
		return up, nil, err
	}
	s.sim = &simulator{base: up.Sim}
	if s.api, err = client.New(up.API, ""); err != nil {
		stop()
		return up, nil, err
	}
	return up, stop, nil
}

// aws names the demo's resources on the stand-ins.
func (s *show) aws() config.AWS { return config.AWS{Prefix: "belfry-demo"} }

// store is where the demo keeps its data.
func (s *show) store() config.Store {
	const visibility = 30 * time.Second
	return config.Store{Backend: s.cfg.Backend, Data: filepath.Join(s.dir, "data"), Visibility: visibility, AWS: s.aws()}
}

func (s *show) settings(attempts int) config.Up {
	const (
		anyPort = "127.0.0.1:0"
		latency = 50 * time.Millisecond
		quota   = 600_000
		drain   = 5 * time.Second
		// The steps look at everything that was accepted: by each recipient perhaps several times.
		keep, sends = 100_000, 3
	)
	return config.Up{
		Sandbox:   true,
		Store:     s.store(),
		API:       config.API{Listen: anyPort},
		FCM:       config.FCM{Connections: 10, PerSecond: quota / 60},
		Delivery:  config.Delivery{MaxAttempts: attempts, RecordUnknownDevices: true},
		Simulator: config.Simulator{Listen: anyPort, Latency: latency, Quota: quota, Keep: keep + sends*s.cfg.Recipients},
		Stop:      config.Stop{Drain: drain},
		Log:       s.cfg.Log(),
	}
}
