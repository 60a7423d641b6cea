package quota_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota"
	"github.com/belfry-push/belfry/internal/quota/quotatest"
	"github.com/belfry-push/belfry/internal/sharedrate"
	"github.com/belfry-push/belfry/test/raced"
)

func charge(notifications, recipients int64) push.Charge {
	return push.Charge{Tenant: "acme", Notifications: notifications, Recipients: recipients, Queued: recipients}
}

// What is accepted counts, what is taken back does not, and what never fits is said to never fit.
func TestAccept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, days := &slow{}, time.Duration(0)
		in := quotatest.Start(t, w.store(), "i", access.Settings{
			NotificationsPerMinute: new(int64(6)), RecipientsPerDay: new(int64(100)),
		}, func() time.Time { return time.Now().Add(days) })
		defer in.Stop()
		accept := func(c push.Charge) error {
			later, err := in.Accept(t.Context(), c, false)
			if later {
				t.Error("it is deferred")
			}
			return err
		}
		if err := accept(charge(1, 60)); err != nil {
			t.Fatal(err)
		}
		over := overOf(t, accept(charge(1, 60)))
		if over.Quota != push.QuotaRecipients || over.Left != 40 || over.Never || over.After < 23*time.Hour || over.After > 24*time.Hour {
			t.Errorf("%+v", over)
		}
		if over := overOf(t, accept(charge(1, 101))); !over.Never || over.RetryAfter() != 0 {
			t.Errorf("%+v", over)
		}
		for range 5 { // the refusals above took none
			if err := accept(charge(1, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if over := overOf(t, accept(charge(1, 1))); over.Quota != push.QuotaNotifications || over.RetryAfter() > 10*time.Second {
			t.Errorf("%+v", over)
		}
		in.Undo(t.Context(), charge(1, 1))
		if err := accept(charge(1, 1)); err != nil {
			t.Errorf("after one was taken back: %v", err)
		}
		all, defers, err := in.Standings(t.Context(), "acme", "", "")
		if err != nil || defers || len(all) != 2 || all[1].Left != 35 || all[1].Quota != push.QuotaRecipients || all[0].Left != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		days += 24 * time.Hour
		time.Sleep(time.Minute)
		if err := accept(charge(1, 100)); err != nil {
			t.Errorf("the next day: %v", err)
		}
	})
}

// What cannot be deferred any more is counted or refused, and what is deferred starts though its quota was lowered since.
func TestCountAndStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slow{}
		in := quotatest.Start(t, w.store(), "i", access.Settings{RecipientsPerDay: new(int64(100)), QueuedRecipients: new(int64(70))}, time.Now)
		defer in.Stop()
		if most, err := in.Largest(t.Context(), "acme", "", 2800); most != 70 || err != nil {
			t.Errorf("%d at once, %v", most, err)
		}
		page := push.Charge{Tenant: "acme", Recipients: 90}
		if err := in.Count(t.Context(), page); err != nil {
			t.Error(err)
		}
		if over := overOf(t, in.Count(t.Context(), page)); over.Never || over.Left != 10 {
			t.Errorf("%+v", over)
		}
		page.Recipients = 101
		if over := overOf(t, in.Count(t.Context(), page)); !over.Never {
			t.Errorf("%+v", over)
		}
		wait, err := in.Start(t.Context(), push.Charge{Tenant: "acme", Queued: 1000}, true)
		if err != nil || wait != 0 {
			t.Errorf("more than there ever is waits for ever: %v, %v", wait, err)
		}
		if wait, err := in.Start(t.Context(), charge(1, 1), true); err != nil || wait <= 0 {
			t.Errorf("%v, %v", wait, err)
		}
	})
}

// unreadable are settings of which nobody knows.
type unreadable struct{ err error }

func (s unreadable) OfTenant(context.Context, string) (access.Effective, error) {
	return access.Effective{}, s.err
}

func (s unreadable) Of(context.Context, string, string) (access.Effective, error) {
	return access.Effective{}, s.err
}

// Who cannot be told his quotas is let through; a tenant that is no more is not.
func TestSettingsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rates, stop := ratesOn(t, &slow{})
		defer stop()
		for _, c := range []struct{ err, want error }{{errors.New("it is away"), nil}, {push.ErrNotFound, push.ErrNotFound}} {
			q, err := quota.New(quota.Config{
				Settings: unreadable{c.err}, Rates: rates, Metrics: quota.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop(), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, admitted := q.Admit(t.Context(), &access.Caller{Tenant: "acme"})
			_, accepted := q.Accept(t.Context(), charge(1, 1), false)
			counted := q.Count(t.Context(), charge(0, 1))
			for _, got := range []error{admitted, accepted, counted} {
				if !errors.Is(got, c.want) {
					t.Errorf("%v: %v", c.err, got)
				}
			}
			q.Close()
		}
	})
}

// An app's own quota holds besides the tenant's.
func TestQuotaOfAnApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slow{}
		rates, stop := ratesOn(t, w)
		defer stop()
		q, err := quota.New(quota.Config{
			Settings: apps{}, Rates: rates, Metrics: quota.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop(), Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		c := charge(1, 1)
		c.App = "shop"
		for range 2 {
			if _, err := q.Accept(t.Context(), c, false); err != nil {
				t.Fatal(err)
			}
		}
		_, err = q.Accept(t.Context(), c, false)
		if over := overOf(t, err); over.Of != "app acme/shop" || over.Policy != "app_notifications_per_minute" || over.Limit != 2 {
			t.Errorf("%+v", over)
		}
		for range 3 {
			if _, err := q.Accept(t.Context(), charge(1, 1), false); err != nil {
				t.Fatal(err)
			}
		}
		_, err = q.Accept(t.Context(), charge(1, 1), false)
		if over := overOf(t, err); over.Of != "tenant acme" || over.Limit != 5 {
			t.Errorf("%+v", over)
		}
	})
}

// apps gives the app shop two notifications a minute of the tenant's five.
type apps struct{}

func (apps) OfTenant(context.Context, string) (access.Effective, error) {
	return access.Inherit(access.Settings{}, access.Settings{NotificationsPerMinute: new(int64(5))}, access.Settings{}), nil
}

func (a apps) Of(ctx context.Context, tenant, app string) (access.Effective, error) {
	if app != "shop" {
		return a.OfTenant(ctx, tenant)
	}
	return access.Inherit(access.Settings{}, access.Settings{NotificationsPerMinute: new(int64(5))},
		access.Settings{NotificationsPerMinute: new(int64(2))}), nil
}

func ratesOn(t *testing.T, w *slow) (*sharedrate.Set, func()) {
	t.Helper()
	rates, err := sharedrate.New(sharedrate.Config{Documents: w.store(), Process: "p", Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { rates.Run(ctx); close(ended) }()
	return rates, func() { cancel(); <-ended }
}

// What is over a quota of a tenant that defers starts when there is room: all of it, no faster than the quota, in few
// tries, and nothing new overtakes what waits.
func TestDeferred(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perMinute, all = 60, 180
		w := &slow{}
		in := quotatest.Start(t, w.store(), "i", access.Settings{
			NotificationsPerMinute: new(int64(perMinute)), OverQuota: new(access.OverDefer),
		}, time.Now)
		defer in.Stop()
		begun := time.Now()
		var tries atomic.Int64
		var wg sync.WaitGroup
		deferred := 0
		for range all {
			later, err := in.Accept(t.Context(), charge(1, 1), false)
			if err != nil {
				t.Fatal(err)
			}
			if !later {
				continue
			}
			deferred++
			wg.Go(func() {
				for first := true; ; first = false {
					tries.Add(1)
					wait, err := in.Start(t.Context(), charge(1, 1), first)
					if err != nil {
						t.Error(err)
						return
					}
					if wait == 0 {
						return
					}
					time.Sleep((wait + time.Second - 1).Truncate(time.Second)) // as a queue does
				}
			})
		}
		if deferred < all-perMinute-1 || deferred > all-perMinute+1 {
			t.Errorf("%d of %d are deferred", deferred, all)
		}
		if over := in.Behind(t.Context(), charge(1, 1)); over == nil || over.Quota != push.QuotaNotifications {
			t.Errorf("behind %+v", over)
		}
		time.Sleep(20 * time.Second)
		if later, err := in.Accept(t.Context(), charge(1, 1), false); err != nil || !later {
			t.Errorf("it overtakes: %v", err)
		}
		wg.Wait()
		took := time.Since(begun)
		t.Logf("%d deferred in %v, %d tries", deferred, took, tries.Load())
		if least := (all - perMinute - 1) * time.Minute / perMinute; took < least || took > least+10*time.Second {
			t.Errorf("all started in %v, the quota gives that in %v", took, least)
		}
		if tries.Load() > 4*all {
			t.Errorf("%d tries", tries.Load())
		}
		if _, err := in.Accept(t.Context(), charge(61, 1), false); err == nil {
			t.Error("what never fits is deferred for ever")
		}
		if later, err := in.Accept(t.Context(), charge(1, 0), true); err != nil || !later {
			t.Errorf("a batch counts when its pages are planned: %v", err)
		}
	})
}

// waiting is a ledger of what waits.
type waiting struct {
	mu   sync.Mutex
	open map[push.ID]*push.Notification
}

func (l *waiting) add(n int64, deferred bool) push.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := push.NewID(push.PrefixNotification)
	l.open[id] = &push.Notification{ID: id, Tenant: "acme", Deferred: deferred, Progress: push.Progress{Sources: n, Pages: 1}}
	return id
}

func (l *waiting) sum() (all int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.open {
		all += n.Progress.Sources
	}
	return all
}

func (l *waiting) end(id push.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, id)
}

// Unfinished implements [quota.Ledger].
func (l *waiting) Unfinished(context.Context, time.Time, string, int) (out []push.Notification, _ string, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.open {
		out = append(out, *n)
	}
	return append(out, push.Notification{Tenant: "other", Progress: push.Progress{Sources: 1_000_000}}), "", nil
}

// Counts implements [quota.Ledger].
func (*waiting) Counts(context.Context, push.ID) (ledger.Counts, error) { return ledger.Counts{}, nil }

// Three instances accept no more than may wait, at most 1 % more, and go on when what waited has ended: also what a
// process that died had counted.
func TestQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit, each = 1000, 20
		w, l := &slow{}, &waiting{open: map[push.ID]*push.Notification{}}
		l.add(5_000, true) // what is deferred does not wait in this sense
		deferred := l.sum()
		var most, accepted atomic.Int64
		var wg sync.WaitGroup
		span := time.Duration(raced.Rounds(40)) * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		for k := range quotatest.Instances {
			in := quotatest.StartOn(t, w.store(), fmt.Sprint("i", k), access.Settings{QueuedRecipients: new(int64(limit))}, time.Now, l)
			defer in.Stop()
			for range 20 {
				wg.Go(func() {
					for ctx.Err() == nil {
						if _, err := in.Accept(ctx, charge(1, each), false); err != nil {
							time.Sleep(100 * time.Millisecond)
							continue
						}
						time.Sleep(5 * time.Millisecond) // until it is recorded
						id := l.add(each, false)
						accepted.Add(each)
						if now := l.sum() - deferred; now > most.Load() {
							most.Store(now)
						}
						time.Sleep(200 * time.Millisecond) // until it has its outcomes
						l.end(id)
					}
				})
			}
		}
		wg.Wait()
		t.Logf("%d accepted in %v, at most %d waited", accepted.Load(), span, most.Load())
		if most.Load() > limit*101/100 {
			t.Errorf("%d waited, %d may", most.Load(), limit)
		}
		if least := int64(span/time.Second) * limit / 4; accepted.Load() < least {
			t.Errorf("%d accepted in %v: what has ended does not make room", accepted.Load(), span)
		}
	})
}

// What was open when somebody last looked, and has ended since, makes room for who needs more than half of all that may wait.
func TestQueuedMoreThanHalf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit, some, most = 100, 40, 100
		l := &waiting{open: map[push.ID]*push.Notification{}}
		in := quotatest.StartOn(t, (&slow{}).store(), "i", access.Settings{QueuedRecipients: new(int64(limit))}, time.Now, l)
		defer in.Stop()
		if _, err := in.Accept(t.Context(), charge(1, some), false); err != nil {
			t.Fatal(err)
		}
		id := l.add(some, false)
		for range 3 {
			if _, err := in.Accept(t.Context(), charge(1, most), false); overOf(t, err).Quota != push.QuotaQueued {
				t.Fatalf("%d of %d are open, and %d more are let in", some, limit, most)
			}
			time.Sleep(10 * time.Second)
		}
		l.end(id)
		var err error
		for range 3 {
			if _, err = in.Accept(t.Context(), charge(1, most), false); err == nil {
				return
			}
			time.Sleep(overOf(t, err).RetryAfter())
		}
		t.Errorf("what has ended makes no room: %v", err)
	})
}
