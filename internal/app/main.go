package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Exit codes of a service.
const (
	exitOK     = 0
	exitFailed = 1
)

// Main runs a service until SIGINT or SIGTERM asks it to stop; a second signal
// kills it. It returns the exit code.
func Main(name string, l config.Log, stderr io.Writer, run func(ctx context.Context, log *zap.Logger) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal has its usual effect
	log, closeLog, err := OpenLog(l, stderr)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return config.ExitUsage
	}
	defer closeLog()
	if err := run(ctx, log.With(zap.String("service", name))); err != nil && !errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitFailed
	}
	return exitOK
}

// Warn logs what is allowed and hardly meant.
func Warn(log *zap.Logger, settings interface{ Warnings() []string }) {
	for _, w := range settings.Warnings() {
		log.Warn("settings", zap.String("warning", w))
	}
}

// Warn logs one thing that was found while starting.
func (s *Service) Warn(w string) { s.Log.Warn("settings", zap.String("warning", w)) }

// ShowKey returns what shows the key of the first start to whoever started the program. It is
// no line of the log, which others read and which is kept.
func ShowKey(w io.Writer) func(text string) error {
	return func(text string) error {
		_, err := fmt.Fprintf(w, "\nThis is the first start. The API key of the platform's operator, shown once and stored nowhere:\n\n"+
			"  export BELFRY_API_KEY=%s\n\nWith that, belfry key create makes keys for others, and belfry key revoke ends one.\n\n", text)
		return err
	}
}

// OpenLog returns the logger that the settings ask for. Until it is closed, SIGUSR1 switches
// it to debug for a while, and back: whoever may send the process a signal may read its log.
func OpenLog(l config.Log, stderr io.Writer) (log *zap.Logger, closeLog func(), err error) {
	f, isFile := stderr.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	log, level, err := telemetry.NewLogger(l.Level, l.FormatFor(terminal), stderr)
	if err != nil {
		return nil, nil, err
	}
	asked, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		defer close(ended)
		for range asked {
			level.Toggle(log)
		}
	}()
	return log, func() {
		signal.Stop(asked) // when it returns, nothing is sent any more
		close(asked)
		<-ended
		level.Stop()
		_ = log.Sync() // tells what was left out; a terminal cannot be synced
	}, nil
}
