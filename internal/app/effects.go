package app

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/access"
)

// Effects are the settings that hold for apps, remembered for seconds. It is called while the
// process starts, from one goroutine; everybody gets the same.
func (s *Service) Effects() (*access.Effects, error) {
	if s.effects != nil {
		return s.effects, nil
	}
	effects, err := access.NewEffects(access.New(s.Backend.Store, s.Now))
	if err != nil {
		return nil, err
	}
	s.Stack.OnStop("settings of apps", time.Second, func(context.Context) error { effects.Close(); return nil })
	s.effects = effects
	return effects, nil
}
