package idempotencytest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

func reserveOnce(f *fixture) {
	first := f.reserve(f.record("key", "a"), epoch())
	second := f.record("key", "b")
	second.Fingerprint = "another body"
	f.taken(second, epoch(), first)
	f.taken(second, first.LeaseUntil.Add(-time.Microsecond), first)
}

func reserveConcurrently(f *fixture) {
	const callers = 8
	var winners atomic.Int64
	holders := make([]string, callers)
	together(callers, func(i int) {
		got, stored, err := f.Reserve(f.Context(), f.record("key", fmt.Sprintf("holder-%d", i)), epoch())
		if err != nil {
			f.Error(err)
		}
		if stored {
			winners.Add(1)
		}
		holders[i] = got.Holder
	})
	if winners.Load() != 1 {
		f.Fatalf("%d reservations won", winners.Load())
	}
	for _, h := range holders {
		f.same("holder", h, holders[0])
	}
}

func apart(f *fixture) {
	f.reserve(f.record("key", "a"), epoch())
	f.reserve(f.record("KEY", "a"), epoch())
	f.reserve(f.record("key ", "a"), epoch())
	f.reserve(f.record("POST /v1/notifications#schlüssel 🐝", "a"), epoch())
	other := f.record("key", "b")
	other.Tenant += "-other"
	f.reserve(other, epoch())
}

func complete(f *fixture) {
	r := f.reserve(f.record("key", "a"), epoch())
	r.Done, r.Status, r.Body = true, 422, []byte(`{"detail":"größer"}`)
	stranger := r
	stranger.Holder, stranger.Status = "b", 202
	f.mustBe(f.Complete(f.Context(), stranger), push.ErrConflict)
	f.must(f.Complete(f.Context(), r))
	f.taken(f.record("key", "c"), epoch(), r)
	// An answer outlives the lease of the request that gave it.
	f.taken(f.record("key", "c"), r.LeaseUntil.Add(time.Hour), r)
	f.taken(f.record("key", "c"), r.ExpiresAt.Add(-time.Microsecond), r)

	ghost := f.record("ghost", "a")
	f.mustBe(f.Complete(f.Context(), ghost), push.ErrConflict)
	f.reserve(ghost, epoch())
}

func bodies(f *fixture) {
	for name, body := range map[string]string{
		"empty": "", "zeros": "\x00\x00", "not UTF-8": "\xff\xfe", "large": strings.Repeat("x", 200<<10),
	} {
		r := f.reserve(f.record(name, "a"), epoch())
		r.Done, r.Status, r.Body = true, 200, []byte(body)
		f.must(f.Complete(f.Context(), r))
		f.taken(f.record(name, "b"), epoch(), r)
	}
}

func takeover(f *fixture) {
	first := f.reserve(f.record("key", "a"), epoch())
	second := f.record("key", "b")
	second.Fingerprint = "another body"
	second.LeaseUntil = first.LeaseUntil.Add(idempotency.Lease)
	f.reserve(second, first.LeaseUntil)
	first.Done, first.Status = true, 500
	f.mustBe(f.Complete(f.Context(), first), push.ErrConflict)
	f.must(f.Release(f.Context(), first)) // not its key any more: nothing happens
	f.taken(f.record("key", "c"), first.LeaseUntil, second)
	second.Done, second.Status = true, 201
	f.must(f.Complete(f.Context(), second))
	f.taken(f.record("key", "c"), first.LeaseUntil, second)
}

func lateAnswer(f *fixture) {
	r := f.reserve(f.record("key", "a"), epoch())
	r.Done, r.Status, r.Body = true, 202, []byte("late")
	f.must(f.Complete(f.Context(), r)) // whatever the clock says: nobody else holds the key
	f.taken(f.record("key", "b"), r.LeaseUntil.Add(time.Hour), r)
}

func expiry(f *fixture) {
	r := f.reserve(f.record("key", "a"), epoch())
	r.Done, r.Status = true, 202
	f.must(f.Complete(f.Context(), r))
	next := f.record("key", "b")
	next.LeaseUntil, next.ExpiresAt = r.ExpiresAt.Add(idempotency.Lease), r.ExpiresAt.Add(idempotency.Keep)
	f.reserve(next, r.ExpiresAt)

	// An expiry before the lease's end counts as well.
	short := f.record("short", "a")
	short.ExpiresAt = epoch().Add(time.Second)
	f.reserve(short, epoch())
	f.reserve(f.record("short", "b"), short.ExpiresAt)
}

func release(f *fixture) {
	r := f.reserve(f.record("key", "a"), epoch())
	f.must(f.Release(f.Context(), r))
	f.must(f.Release(f.Context(), r))
	f.reserve(f.record("key", "b"), epoch())
}

func releaseByOther(f *fixture) {
	r := f.reserve(f.record("key", "a"), epoch())
	f.must(f.Release(f.Context(), f.record("key", "b")))
	f.taken(f.record("key", "c"), epoch(), r)
}

func releaseDone(f *fixture) {
	r := f.reserve(f.record("key", "a"), epoch())
	r.Done, r.Status = true, 202
	f.must(f.Complete(f.Context(), r))
	f.must(f.Release(f.Context(), r))
	f.taken(f.record("key", "b"), epoch(), r)
}

// purge works in the year 2001, so that it removes no other case's records.
func purge(f *fixture, features Features) {
	then := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	var records []idempotency.Record
	for i := range 5 {
		r := f.record(fmt.Sprintf("key-%d", i), "a")
		r.LeaseUntil, r.ExpiresAt = then.Add(time.Minute), then.Add(time.Duration(i)*time.Hour)
		records = append(records, f.reserve(r, then.Add(-time.Hour)))
	}
	now := then.Add(3 * time.Hour) // expires the first four: the bound is inclusive
	if !features.RemovesItself {
		for _, want := range []int{3, 1, 0} {
			n, err := f.PurgeExpired(f.Context(), now, 3)
			f.must(err)
			if n != want {
				f.Fatalf("purged %d, want %d", n, want)
			}
		}
	}
	f.taken(f.record("key-4", "b"), then, records[4])
	f.mustBe(f.Complete(f.Context(), f.record("ghost", "a")), push.ErrConflict)
	f.reserve(f.record("key-0", "b"), now)
}
