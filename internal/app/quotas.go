package app

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/quota"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// Rates are the buckets that this process shares with all others. It is called while the process starts, from one
// goroutine; everybody gets the same, because a process has to have one name among them.
func (s *Service) Rates(ctx context.Context) (*sharedrate.Set, error) {
	if s.rates != nil {
		return s.rates, nil
	}
	rates, err := sharedrate.New(sharedrate.Config{Documents: s.Backend.Store, Process: Owner(), Log: s.Log})
	if err != nil {
		return nil, err
	}
	s.rates = rates
	const givingBack = 10 * time.Second
	s.Stack.Background(ctx, "shared rates", givingBack, rates.Run)
	return rates, nil
}

// Quotas are what tenants are held to. It is called while the process starts, from one goroutine.
func (s *Service) Quotas(ctx context.Context) (*quota.Quotas, error) {
	if s.quotas != nil {
		return s.quotas, nil
	}
	rates, err := s.Rates(ctx)
	if err != nil {
		return nil, err
	}
	settings, err := access.NewEffects(access.New(s.Backend.Store, s.Now))
	if err != nil {
		return nil, err
	}
	all, err := quota.New(quota.Config{Settings: settings, Rates: rates, Metrics: quota.NewMetrics(s.Reg), Log: s.Log, Now: s.Now})
	if err != nil {
		settings.Close()
		return nil, err
	}
	s.quotas = all
	s.Stack.OnStop("quotas", time.Second, func(context.Context) error { all.Close(); settings.Close(); return nil })
	return all, nil
}
