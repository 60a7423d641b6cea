package dispatcher

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/worker"
)

// weightsEvery is how often the weights of tenants that wait are read, and so how long a
// change of one takes at most.
const weightsEvery = 10 * time.Second

// weights are the tenants' shares of a contended quota, as their settings have them. A tenant
// that was never asked about has the weight 1 until the next reading, which is soon. Safe for
// concurrent use.
type weights struct {
	settings func(ctx context.Context, tenant, app string) (access.Effective, error)
	log      *zap.Logger

	mu    sync.Mutex
	known map[string]*weight
	fresh chan struct{} // rings when a tenant is new
}

type weight struct {
	value int
	asked bool // since the last reading; others are forgotten
}

var _ guard.Weights = (*weights)(nil)

func newWeights(settings func(ctx context.Context, tenant, app string) (access.Effective, error), log *zap.Logger) *weights {
	return &weights{settings: settings, log: log, known: map[string]*weight{}, fresh: make(chan struct{}, 1)}
}

// Weight implements [guard.Weights].
func (w *weights) Weight(tenant string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.known[tenant]
	if k == nil {
		k = &weight{value: 1}
		w.known[tenant] = k
		select {
		case w.fresh <- struct{}{}:
		default: // it rings already
		}
	}
	k.asked = true
	return k.value
}

// Run reads weights until ctx ends: of new tenants at once, but not more than once a second, of
// those that were asked about in between every weightsEvery.
func (w *weights) Run(ctx context.Context) {
	all := time.NewTicker(weightsEvery)
	defer all.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.fresh:
			w.read(ctx, true)
		case <-all.C:
			w.read(ctx, false)
		}
		if !worker.Wait(ctx, time.Second) {
			return
		}
	}
}

// read reads the weights of new tenants, or of all that were asked about; it forgets the
// others.
func (w *weights) read(ctx context.Context, fresh bool) {
	for _, tenant := range w.due(fresh) {
		e, err := w.settings(ctx, tenant, "")
		if err != nil { // the old weight stays
			w.log.Debug("the weight of a tenant could not be read", zap.String("tenant", tenant), zap.Error(err))
			continue
		}
		w.mu.Lock()
		if k := w.known[tenant]; k != nil {
			k.value = int(*e.Weight)
		}
		w.mu.Unlock()
	}
}

// due returns whose weight is to be read.
func (w *weights) due(fresh bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for tenant, k := range w.known {
		switch {
		case k.asked || fresh:
			out = append(out, tenant)
			k.asked = k.asked && fresh
		default:
			delete(w.known, tenant)
		}
	}
	return out
}
