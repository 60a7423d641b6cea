// Command belfry is everything in one program: the whole pipeline on the
// embedded backend, the FCM simulator, and the tools that talk to a running
// server.
package main

import (
	"context"
	"os"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/bench"
	"github.com/belfry-push/belfry/internal/cli/belfry"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/demo"
)

func main() {
	os.Exit(belfry.Main(os.Args[1:], os.Stdout, os.Stderr, os.Stdin, services{}))
}

// services are the commands that run Belfry itself.
type services struct{ operations.Operations }

func (services) Up(ctx context.Context, c config.Up, ready func(allinone.Addresses)) error {
	return logged(c.Log, func(log *zap.Logger) error {
		return allinone.Up(ctx, c, log, allinone.Hooks{Ready: ready, FirstKey: app.ShowKey(os.Stderr), Metrics: os.Stdout})
	})
}

func (services) Sim(ctx context.Context, c config.Sim) error {
	return logged(c.Log, func(log *zap.Logger) error { return allinone.Sim(ctx, c, log, nil) })
}

func (services) Demo(ctx context.Context, c config.Demo) error {
	return logged(c.Log(), func(log *zap.Logger) error {
		if c.Outage {
			return demo.RunOutage(ctx, c, log, os.Stdout)
		}
		return demo.Run(ctx, c, log, os.Stdout, os.Stderr)
	})
}

func (services) Bench(ctx context.Context, c config.Bench) error {
	return logged(c.Log(), func(log *zap.Logger) error { return bench.Run(ctx, c, log, os.Stdout) })
}

func logged(c config.Log, run func(*zap.Logger) error) error {
	log, closeLog, err := app.OpenLog(c, os.Stderr)
	if err != nil {
		return err
	}
	defer closeLog()
	return run(log)
}
