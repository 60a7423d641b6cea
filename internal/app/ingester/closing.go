package ingester

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/closing"
)

// startClosing ends what deleted tenants and apps have under way, from every process that accepts.
func startClosing(ctx context.Context, s *app.Service, c closing.Config) {
	c.Notifications, c.Log, c.Now = s.Backend.Store, s.Log, s.Now
	const grace = 5 * time.Second
	s.Stack.Background(ctx, "closing", grace, closing.New(c).Run)
}
