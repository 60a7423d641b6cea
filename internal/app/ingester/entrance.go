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

	// Sandbox needs no key unless it is asked for one, or has one.
	Sandbox bool
	// FirstKey is told the text of the key that the first start makes, once. It must show it to
	// whoever started the program and write it nowhere. nil: a start that would make one fails.
	FirstKey func(text string) error
}

// errNobodyLooks says that a key would be made that nobody sees.
var errNobodyLooks = errors.New("there is no API key yet, and nobody to show one to: set BELFRY_API_KEY")

// requiresKey finds out whether requests need an API key, and makes the first one where none can
// be had yet. One that is in the settings is enough.
func (e *Entrance) requiresKey(ctx context.Context, s *app.Service, d *access.Directory) (bool, error) {
	if !e.Key.IsZero() {
		return true, nil
	}
	required, operated, err := e.decide(ctx, s, d)
	if err != nil || !required || operated {
		return required, err
	}
	show := e.FirstKey
	if show == nil {
		show = func(string) error { return errNobodyLooks }
	}
	return true, d.FirstKey(ctx, show)
}

// decide reports whether requests need a key, and whether the operator has one. Where there was
// none so far and only this machine gets in, that stays: an upgrade locks nobody out.
func (e *Entrance) decide(ctx context.Context, s *app.Service, d *access.Directory) (required, operated bool, err error) {
	if e.RequireKey != nil && !*e.RequireKey && !e.Beyond() {
		return false, false, nil
	}
	if operated, err = d.HasOperatorKey(ctx); err != nil {
		return false, false, err
	}
	if e.Beyond() || e.RequireKey != nil {
		return true, operated, nil
	}
	if operated || e.Sandbox {
		return operated, operated, nil
	}
	used, err := inUse(ctx, s)
	if err != nil || !used {
		return true, false, err
	}
	// Whoever made the first key may have used the store since.
	made, err := d.HasFirstKey(ctx)
	return made, false, err
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
