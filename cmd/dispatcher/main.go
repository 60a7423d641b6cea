// Command dispatcher turns accepted notifications into chunks and sends these
// to Firebase Cloud Messaging.
package main

import (
	"context"
	"os"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/dispatcher"
	"github.com/belfry-push/belfry/internal/config"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var cfg config.Dispatcher
	program := config.Program{
		Name: "dispatcher", About: config.AboutDispatcher,
		Env: config.Environment(), Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if code, ok := program.Load(&cfg, args); !ok {
		return code
	}
	return app.Main("dispatcher", cfg.Log, os.Stderr, func(ctx context.Context, log *zap.Logger) error {
		return dispatcher.Run(ctx, cfg, log, os.Stdout)
	})
}
