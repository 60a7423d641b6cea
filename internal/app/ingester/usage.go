package ingester

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/cost"
	"github.com/belfry-push/belfry/internal/usage"
)

// startUsage keeps the books of what tenants use, from every process that accepts.
func startUsage(ctx context.Context, s *app.Service) (*usage.Room, error) {
	prices, err := cost.List()
	if err != nil {
		return nil, err
	}
	directory := access.New(s.Backend.Store, s.Now)
	room := usage.New(usage.Config{
		Ledger: s.Backend.Store, Documents: s.Backend.Store, Cost: prices.Nanodollars,
		Tenants: func(ctx context.Context) ([]string, error) { return tenants(ctx, directory) },
		Log:     s.Log, Metrics: usage.NewMetrics(s.Reg), Now: s.Now,
	})
	const grace = 5 * time.Second
	s.Stack.Background(ctx, "usage", grace, room.Run)
	return room, nil
}

// tenants lists those that exist.
func tenants(ctx context.Context, d *access.Directory) ([]string, error) {
	const page = 1000
	names := []string{access.DefaultName}
	for cursor := ""; ; {
		some, next, err := d.Tenants(ctx, cursor, page)
		if err != nil {
			return nil, err
		}
		for i := range some {
			names = append(names, some[i].Name)
		}
		if cursor = next; cursor == "" {
			return names, nil
		}
	}
}
