// Package idempotencytest is the conformance suite of the idempotency store:
// every driver of [idempotency.Store] runs it.
package idempotencytest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// Features says where a driver legitimately differs.
type Features struct {
	// Restart opens a store on data of its own; calling the returned function
	// again closes the store and opens the same data anew. Nil where the data
	// lives in a service that outlasts the process.
	Restart func(t *testing.T) func() idempotency.Store
	// RemovesItself says that the backend removes expired records by itself, so
	// that PurgeExpired has nothing to do.
	RemovesItself bool
}

// Run holds a driver to the contract of [idempotency.Store]. open may return
// one store for all cases: each works in a tenant of its own. Cases run in
// parallel.
func Run(t *testing.T, open func(t *testing.T) idempotency.Store, features Features) {
	t.Helper()
	cases := []struct {
		name string
		run  func(f *fixture)
	}{
		{"a key is reserved once", reserveOnce},
		{"of concurrent reservations exactly one wins", reserveConcurrently},
		{"keys and tenants are apart", apart},
		{"the answer is kept for repeats", complete},
		{"an answer may be large or not text", bodies},
		{"a lapsed lease is taken over", takeover},
		{"a late answer counts while nobody took over", lateAnswer},
		{"an expired record counts as absent", expiry},
		{"a released key is free", release},
		{"only the holder releases", releaseByOther},
		{"an answered key is not released", releaseDone},
		{"expired records are purged", func(f *fixture) { purge(f, features) }},
		{"a cancelled context is an error", cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&fixture{T: t, Store: open(t), tenant: string(push.NewID("tenant"))})
		})
	}
	t.Run("what was written survives a restart", func(t *testing.T) {
		t.Parallel()
		if features.Restart == nil {
			t.Skip("the data lives in a service")
		}
		reopen := features.Restart(t)
		f := &fixture{T: t, Store: reopen(), tenant: string(push.NewID("tenant"))}
		r := f.reserve(f.record("key", "a"), epoch())
		r.Done, r.Status, r.Body = true, 202, []byte("{}")
		f.must(f.Complete(f.Context(), r))
		f.Store = reopen()
		f.taken(f.record("key", "b"), epoch(), r)
	})
}

// A fixture is what one case works with.
type fixture struct {
	*testing.T
	idempotency.Store

	tenant string
}

func epoch() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 123_456_000, time.UTC) }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) mustBe(got, want error) {
	f.Helper()
	if !errors.Is(got, want) {
		f.Fatalf("error = %v, want one that is %v", got, want)
	}
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (f *fixture) record(key, holder string) idempotency.Record {
	return idempotency.Record{
		Tenant: f.tenant, Key: key, Fingerprint: "print-of-" + key, Holder: holder,
		LeaseUntil: epoch().Add(idempotency.Lease), ExpiresAt: epoch().Add(idempotency.Keep),
	}
}

// reserve reserves a key that must be free.
func (f *fixture) reserve(r idempotency.Record, now time.Time) idempotency.Record {
	f.Helper()
	got, stored, err := f.Reserve(f.Context(), r, now)
	f.must(err)
	if !stored {
		f.Fatalf("key %q is taken by %q", r.Key, got.Holder)
	}
	f.same("reserved", got, r)
	return got
}

// taken reserves a key that must be taken by want.
func (f *fixture) taken(r idempotency.Record, now time.Time, want idempotency.Record) {
	f.Helper()
	got, stored, err := f.Reserve(f.Context(), r, now)
	f.must(err)
	if stored {
		f.Fatalf("key %q was reserved twice", r.Key)
	}
	f.same("taken by", got, want)
}

// together runs fn in n goroutines that start at once, and returns when all are
// done.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	r := f.record("key", "a")
	_, _, reserveErr := f.Reserve(ctx, r, epoch())
	f.mustBe(reserveErr, context.Canceled)
	f.mustBe(f.Complete(ctx, r), context.Canceled)
}
