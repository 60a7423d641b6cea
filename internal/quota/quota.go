package quota

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// Settings says what tenants and apps are entitled to. It is asked every second, and remembers what it reads.
type Settings interface {
	// OfTenant returns what holds for a tenant as a whole, or push.ErrNotFound.
	OfTenant(ctx context.Context, tenant string) (access.Effective, error)
	// Of returns what holds for an app, "" for the default one, or push.ErrNotFound.
	Of(ctx context.Context, tenant, app string) (access.Effective, error)
}

var _ Settings = (*access.Effects)(nil)

// Config is what the room stands on. Rates, Settings, Metrics, Log and Now are required.
type Config struct {
	Settings Settings
	Ledger   Ledger // nil: recipients that wait are never put back, as in tests of other things
	Rates    *sharedrate.Set
	Metrics  *Metrics
	Log      *zap.Logger
	Now      func() time.Time
}

// Quotas knows who is within what. Safe for concurrent use. Make it with [New].
type Quotas struct {
	cfg   Config
	gates *otter.Cache[who, *gate]

	arrivals, starts lines

	life    context.Context //nolint:containedctx // of what runs beside callers, until Close
	end     context.CancelFunc
	beside  sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	looking map[string]bool // buckets of what waits that are looked after, by name
}

// who is whom a gate is for.
type who struct {
	tenant string
	app    string // "": no app's own quotas, or those of the default one
	key    string // the caller's name; "": none of a key's
}

// How many gates are remembered, about 1 KiB each, and for how long. What they are made of is remembered for
// access.CacheFor, so that a change of a quota holds within five seconds.
const (
	maxGates = 20_000
	gateFor  = time.Second
	// lookEvery is how old what answers say of a bucket may be that this process takes nothing of.
	lookEvery = 5 * time.Second
)

// New returns the room.
func New(cfg Config) (*Quotas, error) {
	gates, err := otter.New(&otter.Options[who, *gate]{
		MaximumSize: maxGates, ExpiryCalculator: otter.ExpiryWriting[who, *gate](gateFor),
	})
	if err != nil {
		return nil, fmt.Errorf("cache of quotas: %w", err)
	}
	q := &Quotas{cfg: cfg, gates: gates, looking: map[string]bool{}}
	q.arrivals.last, q.starts.last = map[string]turn{}, map[string]turn{}
	q.life, q.end = context.WithCancel(context.Background())
	return q, nil
}

// Close ends what runs beside the callers, and the upkeep of the cache.
func (q *Quotas) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.end()
	q.beside.Wait()
	q.gates.StopAllGoroutines()
}

// gate is the quotas that somebody passes, for a second.
type gate struct {
	name     string // whose it is, of a line
	until    time.Time
	requests []*policy
	work     []*policy // what is accepted
	defers   bool      // what is over one of work waits
	fields   string    // RateLimit-Policy
}

// gate returns the quotas of somebody.
func (q *Quotas) gate(ctx context.Context, w who) (*gate, error) {
	now := q.cfg.Now()
	if g, ok := q.gates.GetIfPresent(w); ok && now.Before(g.until) {
		return g, nil
	}
	whole, err := q.cfg.Settings.OfTenant(ctx, w.tenant)
	if err != nil {
		return nil, fmt.Errorf("quotas of %s: %w", w.tenant, err)
	}
	app, err := q.cfg.Settings.Of(ctx, w.tenant, w.app)
	if errors.Is(err, push.ErrNotFound) { // whoever asks for the app is told by somebody else
		app, err = whole, nil
	}
	if err != nil {
		return nil, fmt.Errorf("quotas of %s/%s: %w", w.tenant, w.app, err)
	}
	g, err := q.build(w, &whole, &app, now)
	if err != nil {
		return nil, err
	}
	q.gates.Set(w, g)
	return g, nil
}

func (q *Quotas) build(w who, whole, app *access.Effective, now time.Time) (*gate, error) {
	midnight := now.UTC().Truncate(day).Add(day)
	g := &gate{name: w.tenant + "/" + w.app, until: now.Add(gateFor), defers: *app.OverQuota == access.OverDefer}
	if g.until.After(midnight) {
		g.until = midnight
	}
	for _, p := range policiesOf(w, whole, app, midnight) {
		var err error
		if p.bucket, err = q.cfg.Rates.Bucket(p.name, p.rate); err != nil {
			return nil, err
		}
		p.bucket.Look(lookEvery)
		if p.quota == push.QuotaRequests || p.quota == push.QuotaKeyRequests {
			g.requests = append(g.requests, p)
		} else {
			g.work = append(g.work, p)
		}
	}
	g.fields = policyField(g)
	return g, nil
}
