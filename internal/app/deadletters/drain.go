// Package deadletters is dlq-replayer as a program, and the rooms of dead letters and
// replays as other programs have them: on the open backend of a service, which
// executes replays too, or on one that is opened for a command.
package deadletters

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/status"
)

// OpenLetters opens the room of dead letters directly on the backend, for the
// operator's commands. Stop it when done.
func OpenLetters(ctx context.Context, c config.Store, log *zap.Logger) (room *letters.Room, stop func(context.Context) error, err error) {
	reg := prometheus.NewRegistry()
	b, err := app.Opener(c, log)(ctx, reg)
	if err != nil {
		return nil, nil, err
	}
	room, err = newLetters(b, letters.Retention{}, letters.NewMetrics(reg), log)
	if err != nil {
		return nil, nil, errors.Join(err, b.Close(context.WithoutCancel(ctx)))
	}
	return room, b.Close, nil
}

// DrainWatch moves dead letters into the store until ctx ends, ages out what has
// waited too long, and executes replays that nobody executes, with health and
// metrics beside it.
// out gets lines for CloudWatch, if they are asked for.
func DrainWatch(ctx context.Context, c config.Replayer, keep config.Retention, log *zap.Logger, out io.Writer) error {
	app.Warn(log, c)
	s, err := app.NewService(ctx, log, c.Stop.Drain, app.Opener(c.Store, log))
	if err != nil {
		return err
	}
	s.WriteEMF(ctx, c.CloudWatch, c.Store, status.KindReplayer, out)
	metrics := letters.NewMetrics(s.Reg)
	metrics.ShowStore(s.Reg)
	kept, err := newLetters(s.Backend, letters.Retention{Parked: keep.Parked, Warn: keep.Warn, Done: keep.Done}, metrics, log)
	if err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	replays, err := newReplays(s.Backend, kept, s.Reg, log, s.Tracer)
	if err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	if err := s.ReadyForDrain(); err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	if err := s.ServeProbes(ctx, c.Metrics, c.Listeners); err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	const grace = 5 * time.Second
	s.Stack.Background(ctx, "retention", grace, kept.RetainWatch)
	execute(ctx, s, replays)
	s.Stack.Background(ctx, "drain", c.Stop.Drain+time.Second, func(ctx context.Context) {
		if _, err := kept.DrainWatch(ctx); err != nil && ctx.Err() == nil {
			s.Fail(err)
		}
	})
	s.As(status.KindReplayer)
	return s.Run(ctx)
}
