package app

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// Rates are the buckets that this process shares with all others. It is called while the process starts, from one
// goroutine; everybody gets the same.
func (s *Service) Rates(ctx context.Context) (*sharedrate.Set, error) {
	if s.rates != nil {
		return s.rates, nil
	}
	rates, err := sharedrate.New(sharedrate.Config{Documents: s.Backend.Store, Process: Owner() + "/quotas", Log: s.Log})
	if err != nil {
		return nil, err
	}
	s.rates = rates
	const givingBack = 10 * time.Second
	s.Stack.Background(ctx, "shared rates", givingBack, rates.Run)
	return rates, nil
}

// Deferrals tells reports what deferred notifications wait for.
type Deferrals struct{ *quota.Quotas }

var _ report.Quotas = Deferrals{}

// Deferring implements report.Quotas.
func (d Deferrals) Deferring(ctx context.Context, n *push.Notification) *report.Waiting {
	w := report.Waiting{Reason: report.WaitDeferred, Note: "its turn: it was accepted over a quota, and is about to start"}
	c := n.PageCharge(max(0, n.Progress.Pages-1))
	if !n.ID.IsBatch() {
		c = n.Charge()
	}
	if over := d.Behind(ctx, c); over != nil {
		w.Note = fmt.Sprintf("its quota: %s of %s is %d", over.Quota, over.Of, over.Limit)
		if over.After > 0 {
			w.Until = time.Now().Add(over.RetryAfter())
		}
	}
	return &w
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
	settings, err := s.Effects()
	if err != nil {
		return nil, err
	}
	all, err := quota.New(quota.Config{
		Settings: settings, Ledger: s.Backend.Store, Rates: rates, Metrics: quota.NewMetrics(s.Reg), Log: s.Log, Now: s.Now,
	})
	if err != nil {
		return nil, err
	}
	s.quotas = all
	s.Stack.OnStop("quotas", time.Second, func(context.Context) error { all.Close(); return nil })
	return all, nil
}
