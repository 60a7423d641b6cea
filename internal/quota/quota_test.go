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

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/quota/quotatest"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slow is a store that takes some milliseconds, as DynamoDB does, or is away.
type slow struct {
	documenttest.Memory

	away  atomic.Bool
	calls atomic.Int64
}

func (s *slow) store() document.Store {
	return documenttest.Around{Store: &s.Memory, Do: func(_ string, effect func() error) error {
		s.calls.Add(1)
		time.Sleep(4*time.Millisecond + time.Duration(s.calls.Load()%5)*time.Millisecond)
		if s.away.Load() {
			return errors.New("it is away")
		}
		return effect()
	}}
}

func overOf(t *testing.T, err error) *push.OverQuotaError {
	t.Helper()
	over, ok := errors.AsType[*push.OverQuotaError](err)
	if !ok {
		t.Fatalf("%v is not over a quota", err)
	}
	return over
}

// Three instances of which each could use up the quota alone admit together what it gives and at most 1 % more.
func TestThreeInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond = 100
		span := time.Duration(raced.Rounds(20)) * time.Second
		w := &slow{}
		var admitted atomic.Int64
		var wg sync.WaitGroup
		for k := range quotatest.Instances {
			in := quotatest.Start(t, w.store(), fmt.Sprint("i", k), access.Settings{RequestsPerSecond: new(int64(perSecond))}, time.Now)
			defer in.Stop()
			wg.Go(func() {
				for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(7 * time.Millisecond) {
					if _, err := in.Admit(t.Context(), &access.Caller{Tenant: "acme", Name: "key:a"}); err == nil {
						admitted.Add(1)
					}
				}
			})
		}
		wg.Wait()
		due := perSecond + perSecond*span.Seconds()
		t.Logf("%d of %.0f", admitted.Load(), due)
		if got := float64(admitted.Load()); got > due*1.01 || got < due*0.9 {
			t.Errorf("%.0f admitted, %.0f are due", got, due)
		}
	})
}

// A tenant's quota, and one of a key, each with its own name; a refusal takes nothing of the others.
func TestRequestsOfKeyAndTenant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slow{}
		in := quotatest.Start(t, w.store(), "i", access.Settings{RequestsPerSecond: new(int64(5)), KeyRequestsPerSecond: new(int64(3))}, time.Now)
		defer in.Stop()
		ask := func(name string) error {
			_, err := in.Admit(t.Context(), &access.Caller{Tenant: "acme", Name: name})
			return err
		}
		for range 3 {
			if err := ask("key:a"); err != nil {
				t.Fatal(err)
			}
		}
		if over := overOf(t, ask("key:a")); over.Quota != push.QuotaKeyRequests || over.Limit != 3 || over.RetryAfter() != time.Second {
			t.Errorf("%+v", over)
		}
		for range 2 {
			if err := ask("key:b"); err != nil {
				t.Fatal(err)
			}
		}
		if over := overOf(t, ask("key:b")); over.Quota != push.QuotaRequests || over.Of != "tenant acme" || over.Policy != "requests_per_second" {
			t.Errorf("%+v", over)
		}
		fields, err := in.Admit(t.Context(), &access.Caller{Tenant: "other", Name: "key:a"})
		if err != nil {
			t.Fatalf("another tenant's: %v", err)
		}
		policies, limits := fields()
		if want := `"key_requests_per_second";q=3;w=1, "requests_per_second";q=5;w=1`; policies != want {
			t.Errorf("%s", policies)
		}
		if want := `"key_requests_per_second";r=2;t=1, "requests_per_second";r=4;t=1`; limits != want {
			t.Errorf("%s", limits)
		}
		time.Sleep(time.Second)
		if err := ask("key:a"); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}

// Without a quota nothing is asked for and nothing is said.
func TestUnlimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slow{}
		in := quotatest.Start(t, w.store(), "i", access.Settings{}, time.Now)
		defer in.Stop()
		if fields, err := in.Admit(t.Context(), &access.Caller{Tenant: "acme"}); fields != nil || err != nil || w.calls.Load() > 0 {
			t.Errorf("%v, %d calls", err, w.calls.Load())
		}
	})
}

// While the store is away an instance goes on with its share for a minute, and lets everything through after that.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slow{}
		in := quotatest.Start(t, w.store(), "i", access.Settings{RequestsPerSecond: new(int64(10))}, time.Now)
		defer in.Stop()
		flood := func() (admitted int) {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if _, err := in.Admit(ctx, &access.Caller{Tenant: "acme", Name: "key:a"}); err == nil {
					admitted++
				}
				cancel()
			}
			return admitted
		}
		flood()
		w.away.Store(true)
		time.Sleep(time.Second)
		if got := flood(); got > 25 {
			t.Errorf("%d admitted on its share, with the store away", got)
		}
		for range 70 {
			flood()
			time.Sleep(time.Second)
		}
		if got := flood(); got != 100 {
			t.Errorf("%d of 100 admitted after the grace", got)
		}
		w.away.Store(false)
		time.Sleep(2 * time.Second)
		flood()
		time.Sleep(2 * time.Second)
		if got := flood(); got > 25 {
			t.Errorf("%d admitted with the store back", got)
		}
	})
}
