// Command ingest accepts send requests over HTTP and from the events queue,
// records them, and puts them on the notifications queue.
package main

import (
	"context"
	"os"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/ingester"
	"github.com/belfry-push/belfry/internal/config"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var cfg config.Ingest
	program := config.Program{
		Name: "ingest", About: config.AboutIngest,
		Env: config.Environment(), Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if code, ok := program.Load(&cfg, args); !ok {
		return code
	}
	return app.Main("ingest", cfg.Log, os.Stderr, func(ctx context.Context, log *zap.Logger) error {
		return ingester.Run(ctx, cfg, log, app.ShowKey(os.Stderr), os.Stdout)
	})
}
