// Package idempotency makes a repeated POST harmless: the first request with a
// key executes, the others get its answer.
package idempotency

import (
	"context"
	"time"
)

// Keep is how long an answer is kept for repeats.
const Keep = 72 * time.Hour

// Lease is how long a request may execute. After that its process counts as dead, and
// another request with the same key may take over.
const Lease = time.Minute

// Record is what is stored of one key: its request, and the answer when that is there.
type Record struct {
	Tenant      string
	Key         string // the caller's Idempotency-Key, prefixed with the route
	Fingerprint string // hash of the request; another body under the same key is refused
	Holder      string // random per execution; only the holder completes or releases
	LeaseUntil  time.Time
	ExpiresAt   time.Time
	Done        bool
	Status      int    // HTTP status of the first answer
	Body        []byte // of the first answer
}

// Store keeps records. Expired ones count as absent on every read, whether or
// not they were removed yet. Safe for concurrent use by several processes.
type Store interface {
	// Reserve stores r unless a live record exists under its tenant and key: one with now
	// before ExpiresAt that is done or within its lease. It returns what is stored now and
	// whether this call stored it.
	Reserve(ctx context.Context, r Record, now time.Time) (Record, bool, error)
	// Complete stores the answer if holder still holds the key, else push.ErrConflict.
	Complete(ctx context.Context, r Record) error
	// Release removes the record if holder still holds it undone, so that the next request executes.
	Release(ctx context.Context, r Record) error
	// PurgeExpired removes up to limit expired records and returns how many.
	PurgeExpired(ctx context.Context, now time.Time, limit int) (int, error)
}
