// Package quotatest holds the stores of documents to what quotas need of them: that they hold for several processes
// together. Every driver of [document.Store] runs it, beside sharedratetest.
package quotatest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// Instances is how many processes share the quotas.
const Instances = 3

// Run has three instances use up quotas on the driver, in real time. No case depends on how quick the machine is.
func Run(t *testing.T, open func(t *testing.T) document.Store) {
	t.Helper()
	t.Run("requests a second of three instances", func(t *testing.T) {
		t.Parallel()
		requests(t, open(t))
	})
	t.Run("recipients a day of three instances", func(t *testing.T) {
		t.Parallel()
		recipients(t, open(t))
	})
	t.Run("recipients that wait of three instances", func(t *testing.T) {
		t.Parallel()
		queued(t, open(t))
	})
}

// Instance is the quotas of one process.
type Instance struct {
	*quota.Quotas

	Stop func() // and give back what it has leased
}

// Start starts an instance on documents. Whatever tenant it is asked about has the settings.
func Start(tb testing.TB, docs document.Store, name string, settings access.Settings, now func() time.Time) Instance {
	tb.Helper()
	return StartOn(tb, docs, name, settings, now, nil)
}

// StartOn starts an instance that finds what waits in a ledger; nil: nothing that waits ever ends.
func StartOn(tb testing.TB, docs document.Store, name string, settings access.Settings, now func() time.Time, l quota.Ledger) Instance {
	tb.Helper()
	rates, err := sharedrate.New(sharedrate.Config{Documents: docs, Process: name, Log: zap.NewNop()})
	if err != nil {
		tb.Fatal(err)
	}
	q, err := quota.New(quota.Config{
		Settings: Settings{settings}, Ledger: l, Rates: rates, Metrics: quota.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop(), Now: now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan struct{})
	go func() { rates.Run(ctx); close(ended) }()
	return Instance{Quotas: q, Stop: sync.OnceFunc(func() { stop(); <-ended; q.Close() })}
}

// Settings are the same for everybody.
type Settings struct{ Tenant access.Settings }

var _ quota.Settings = Settings{}

// OfTenant implements [quota.Settings].
func (s Settings) OfTenant(context.Context, string) (access.Effective, error) {
	return access.Inherit(access.Settings{}, s.Tenant, access.Settings{}), nil
}

// Of implements [quota.Settings].
func (s Settings) Of(ctx context.Context, tenant, _ string) (access.Effective, error) {
	return s.OfTenant(ctx, tenant)
}

// requests has each instance make more requests than all may.
func requests(t *testing.T, docs document.Store) {
	t.Helper()
	const perSecond, span = 200, 1200 * time.Millisecond
	caller := access.Caller{Tenant: string(push.NewID("tenant")), Name: "key:a"}
	var admitted, over atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	for k := range Instances {
		wg.Go(func() {
			in := Start(t, docs, fmt.Sprint(caller.Tenant, k), access.Settings{RequestsPerSecond: new(int64(perSecond))}, time.Now)
			defer in.Stop()
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for time.Since(begun) < span {
				<-tick.C
				switch _, err := in.Admit(t.Context(), &caller); {
				case err == nil:
					admitted.Add(1)
				case !refusedOf(err, push.QuotaRequests):
					t.Error(err)
					return
				default:
					over.Add(1)
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	most := (perSecond + perSecond*took.Seconds()) * 1.01
	t.Logf("%d admitted, %d refused in %v; at most %.0f are due", admitted.Load(), over.Load(), took, most)
	if got := admitted.Load(); float64(got) > most || got < perSecond/2 {
		t.Errorf("%d admitted", got)
	}
}

// recipients has three instances accept all of a day, and no more.
func recipients(t *testing.T, docs document.Store) {
	t.Helper()
	const perDay, each = 3000, 10
	c := push.Charge{Tenant: string(push.NewID("tenant")), Notifications: 1, Recipients: each, Queued: each}
	var accepted atomic.Int64
	var wg sync.WaitGroup
	noon := func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }
	for k := range Instances {
		wg.Go(func() {
			in := Start(t, docs, fmt.Sprint(c.Tenant, k), access.Settings{RecipientsPerDay: new(int64(perDay))}, noon)
			defer in.Stop() // which gives back what it leased for nothing
			for over := 0; over < 3; {
				switch later, err := in.Accept(t.Context(), c, false); {
				case err == nil && !later:
					accepted.Add(each)
				case !refusedOf(err, push.QuotaRecipients):
					t.Error(later, err)
					return
				default:
					over++
				}
			}
		})
	}
	wg.Wait()
	if got := accepted.Load(); got > perDay || got < perDay*9/10 {
		t.Errorf("%d of %d accepted", got, perDay)
	}
	tomorrow := Start(t, docs, c.Tenant+"tomorrow", access.Settings{RecipientsPerDay: new(int64(perDay))}, func() time.Time {
		return noon().Add(12 * time.Hour)
	})
	defer tomorrow.Stop()
	c.Recipients = perDay
	if _, err := tomorrow.Accept(t.Context(), c, false); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

// queued fills what may wait from three instances; when it has ended, it may be filled anew.
func queued(t *testing.T, docs document.Store) {
	t.Helper()
	const limit, each = 600, 20
	c := push.Charge{Tenant: string(push.NewID("tenant")), Notifications: 1, Recipients: each, Queued: each}
	l := &waiting{tenant: c.Tenant}
	var accepted atomic.Int64
	var wg sync.WaitGroup
	settings := access.Settings{QueuedRecipients: new(int64(limit))}
	for k := range Instances {
		wg.Go(func() {
			in := StartOn(t, docs, fmt.Sprint(c.Tenant, k), settings, time.Now, l)
			defer in.Stop()
			for {
				_, err := in.Accept(t.Context(), c, false)
				if err != nil {
					if !refusedOf(err, push.QuotaQueued) {
						t.Error(err)
					}
					return
				}
				l.open.Add(each)
				accepted.Add(each)
			}
		})
	}
	wg.Wait()
	if got := accepted.Load(); got > limit || got < limit/2 {
		t.Errorf("%d of %d accepted", got, limit)
	}
	l.open.Store(0)
	in := StartOn(t, docs, c.Tenant+"later", settings, time.Now, l)
	defer in.Stop()
	c.Queued = limit - each
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := in.Accept(t.Context(), c, false)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("what has ended does not make room: %v", err)
		}
	}
}

// waiting is a ledger in which one notification of a tenant waits.
type waiting struct {
	tenant string
	open   atomic.Int64
}

// Unfinished implements [quota.Ledger].
func (l *waiting) Unfinished(context.Context, time.Time, string, int) ([]push.Notification, string, error) {
	n := push.Notification{ID: push.NewID(push.PrefixNotification), Tenant: l.tenant, Progress: push.Progress{Sources: l.open.Load()}}
	return []push.Notification{n}, "", nil
}

// Counts implements [quota.Ledger].
func (*waiting) Counts(context.Context, push.ID) (ledger.Counts, error) { return ledger.Counts{}, nil }

func refusedOf(err error, q push.Quota) bool {
	over, ok := errors.AsType[*push.OverQuotaError](err)
	return ok && over.Quota == q
}
