// Package bench measures a whole process: how fast this machine delivers a
// batch, what that costs the process, and how long acceptance takes under load.
// The simulator runs as a process of its own, so that its work is not counted.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/config"
)

// Run measures and prints a table. The program itself, started again as
// `belfry sim`, is the simulator.
func Run(ctx context.Context, c config.Bench, log *zap.Logger, out io.Writer) error {
	dir, err := os.MkdirTemp("", "belfry-bench-")
	if err != nil {
		return fmt.Errorf("bench: data directory: %w", err)
	}
	err = (&run{cfg: c, log: log, out: out, dir: dir}).all(ctx)
	return errors.Join(err, os.RemoveAll(dir))
}

type run struct {
	cfg  config.Bench
	log  *zap.Logger
	out  io.Writer
	dir  string
	api  *client.Client
	addr string // of the API
}

func (r *run) all(ctx context.Context) error {
	keep := int(acceptRate * acceptFor.Seconds()) // what batches send is not asked for
	if r.cfg.AcceptRate > 0 {
		keep = acceptKeep
	}
	sim, err := startSim(ctx, r.cfg.Latency, keep)
	if err != nil {
		return err
	}
	defer func() { sim.stop() }()
	if r.cfg.AcceptRate > 0 {
		return r.acceptOnly(ctx, sim)
	}
	if r.cfg.Separate {
		return r.separate(ctx, sim)
	}
	if r.cfg.Backend == config.BackendAWS {
		if err := operations.ProvisionStandIns(ctx, awsNames()); err != nil {
			return err
		}
	}
	addr, stop, err := r.start(ctx, sim.addr)
	if err != nil {
		return err
	}
	defer stop()
	r.addr = addr
	if r.api, err = client.New(addr, ""); err != nil {
		return err
	}
	r.printMachine()
	for _, what := range []string{"to devices that the registry has not seen", "to the same devices again"} {
		if err := r.batch(ctx, what); err != nil {
			return err
		}
	}
	if r.cfg.Backend == config.BackendAWS {
		return nil // a stand-in's own limits are all that more would show
	}
	l, closeLoad := newLoad(addr, sim.addr)
	defer closeLoad()
	return r.accept(ctx, l, acceptRate, acceptFor)
}

// awsNames are the bench's resources on the stand-ins.
func awsNames() config.AWS { return config.AWS{Prefix: "belfry-bench"} }

func (r *run) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }

func (r *run) printMachine() {
	r.printf("machine: %d cores, %s; simulator: %s median latency, its own process\n\n", runtime.NumCPU(), runtime.Version(), r.cfg.Latency)
}

// start runs ingest and dispatcher in this process.
func (r *run) start(ctx context.Context, endpoint string) (addr string, stop func(), err error) {
	const attempts, drain, visibility = 8, 10 * time.Second, 30 * time.Second
	cfg := config.Up{
		Store:    config.Store{Backend: r.cfg.Backend, Data: filepath.Join(r.dir, "data"), Visibility: visibility, AWS: awsNames()},
		API:      config.API{Listen: "127.0.0.1:0"},
		FCM:      r.cfg.FCM,
		Delivery: config.Delivery{MaxAttempts: attempts, RecordUnknownDevices: true},
		Stop:     config.Stop{Drain: drain}, Log: r.cfg.Log(),
	}
	cfg.FCM.Endpoint = endpoint
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan allinone.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- allinone.Up(ctx, cfg, r.log, allinone.Hooks{Ready: func(a allinone.Addresses) { ready <- a }})
	}()
	select {
	case a := <-ready:
		return a.API, func() { cancel(); r.log.Debug("stopped", zap.Error(<-ended)) }, nil
	case err := <-ended:
		cancel()
		return "", nil, err
	}
}
