// Package dispatcher is the dispatcher as a program: fanout and deliver on the
// backend, and what only they need, which is FCM. No other program of the house sends
// anything, so no other contains what this package imports.
package dispatcher

import (
	"context"
	"errors"
	"io"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/status"
)

// Run runs the dispatcher service until ctx ends. out gets lines for CloudWatch, if they are asked for.
func Run(ctx context.Context, cfg config.Dispatcher, log *zap.Logger, out io.Writer) error {
	app.Warn(log, cfg)
	s, err := app.NewService(ctx, log, cfg.Stop.Drain, app.Opener(cfg.Store, log))
	if err != nil {
		return err
	}
	s.WriteEMF(ctx, cfg.CloudWatch, cfg.Store, status.KindDispatcher, out)
	o := Options{
		Fanout: cfg.Roles.Has(config.RoleFanout), Deliver: cfg.Roles.Has(config.RoleDeliver),
		PerSecond: float64(cfg.FCM.PerSecond), Ramp: RampFor(cfg.FCM.Endpoint), Delivery: cfg.Delivery,
		Seal: cfg.Seal, SharedQuota: cfg.FCM.SharesQuota(false, cfg.Store.Backend),
	}
	if o.Deliver {
		if o.FCM, err = FCMConfig(ctx, cfg.FCM, s.Warn); err != nil {
			return errors.Join(err, s.Stack.Unwind(ctx))
		}
	}
	if err := Start(ctx, s, o); err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	roles := []zap.Field{zap.Bool("fanout", o.Fanout), zap.Bool("deliver", o.Deliver)}
	if err := s.ServeProbes(ctx, cfg.Metrics, cfg.Listeners, roles...); err != nil {
		return errors.Join(err, s.Stack.Unwind(ctx))
	}
	s.As(status.KindDispatcher)
	return s.Run(ctx)
}
