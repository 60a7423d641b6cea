package dispatcher

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
)

// A tenant's weight is read soon after it is asked about, follows the settings, and is
// forgotten when nobody asks.
func TestWeights(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var value atomic.Int64
		var fails atomic.Bool
		value.Store(7)
		w := newWeights(func(_ context.Context, tenant, _ string) (access.Effective, error) {
			e := access.Inherit(access.Settings{}, access.Settings{}, access.Settings{})
			if tenant == "acme" {
				e.Weight = new(value.Load())
			}
			if fails.Load() {
				return e, errors.New("away")
			}
			return e, nil
		}, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.Run(ctx) }()
		defer func() { cancel(); <-ended }()

		if got := w.Weight("acme"); got != 1 {
			t.Errorf("before it is read: %d", got)
		}
		time.Sleep(3 * time.Second)
		if a, b := w.Weight("acme"), w.Weight("other"); a != 7 || b != 1 {
			t.Errorf("weights %d and %d, want 7 and 1", a, b)
		}
		fails.Store(true)
		time.Sleep(2 * weightsEvery)
		if got := w.Weight("acme"); got != 7 && got != 1 {
			t.Errorf("while the store is away: %d", got)
		}
		fails.Store(false)
		value.Store(9)
		time.Sleep(3 * time.Second)
		w.Weight("acme")
		time.Sleep(weightsEvery + 2*time.Second)
		if got := w.Weight("acme"); got != 9 {
			t.Errorf("after a change: %d", got)
		}
		time.Sleep(5 * weightsEvery)
		if n := len(w.due(true)); n != 0 {
			t.Errorf("%d tenants are remembered that nobody asks about", n)
		}
	})
}
