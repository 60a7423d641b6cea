package predict

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/document"
)

// Forget removes simulations that were made before the given time, long after a replay may
// quote them, and returns how many.
func (r *Room) Forget(ctx context.Context, before time.Time) (int, error) {
	return document.Forget(ctx, r.cfg.Documents, kindSimulation, before, func(context.Context, *document.Document) (bool, error) {
		return true, nil
	})
}
