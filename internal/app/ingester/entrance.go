package ingester

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
)

// Entrance says who is let in.
type Entrance struct {
	config.API

	// Sandbox makes no key unless it is asked for one.
	Sandbox bool
	// FirstKey is told the text of the key that the first start makes, once. It must show it to
	// whoever started the program and write it nowhere. nil: a start that would make one fails.
	FirstKey func(text string) error
}

// errNobodyLooks says that a key would be made that nobody sees.
var errNobodyLooks = errors.New("there is no API key yet, and nobody to show one to: set BELFRY_API_KEY")

// requiresKey reports whether requests need an API key, and makes the first one on a first start,
// or where one is required and the operator has none.
func (e *Entrance) requiresKey(ctx context.Context, s *app.Service, d *access.Directory) (bool, error) {
	if !e.Key.IsZero() {
		return true, nil
	}
	required := e.Beyond() || e.RequireKey != nil && *e.RequireKey
	makes, err := e.makesKey(ctx, s, d, required)
	if err != nil || !makes {
		return required, err
	}
	show := e.FirstKey
	if show == nil {
		show = func(string) error { return errNobodyLooks }
	}
	return required, d.FirstKey(ctx, show)
}

// makesKey reports whether this start makes a key. Where none is required it is for an empty store
// only, for somebody who sees it, and not for a sandbox.
func (e *Entrance) makesKey(ctx context.Context, s *app.Service, d *access.Directory, required bool) (bool, error) {
	if !required && (e.RequireKey != nil || e.Sandbox || e.FirstKey == nil) {
		return false, nil
	}
	if operated, err := d.HasOperatorKey(ctx); err != nil || operated {
		return false, err
	}
	if required {
		return true, nil
	}
	used, err := inUse(ctx, s)
	return !used, err
}

// inUse reports whether the store has anything of the tenant to whom requests without a key belong.
func inUse(ctx context.Context, s *app.Service) (bool, error) {
	ns, _, err := s.Backend.Store.Notifications(ctx, tenant, "", 1)
	if err != nil || len(ns) > 0 {
		return len(ns) > 0, err
	}
	ds, _, err := s.Backend.Store.Devices(ctx, tenant, "", "", 1)
	return len(ds) > 0, err
}

// announce says where the API is, and how safe that is.
func announce(s *app.Service, required bool, addr string) {
	if !required {
		s.Log.Warn("no API key is required: every caller is let in, on the loopback interface only; set BELFRY_REQUIRE_KEY=true",
			zap.String("listen", addr))
		return
	}
	s.Log.Info("HTTP API is up", zap.String("listen", addr))
}
