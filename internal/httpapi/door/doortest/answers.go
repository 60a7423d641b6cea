package doortest

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/idempotency"
)

// Answers is the idempotency store in memory.
type Answers struct {
	Fail error // of Complete and Release

	mu   sync.Mutex
	recs map[string]idempotency.Record
}

var _ idempotency.Store = (*Answers)(nil)

// Reserve implements [idempotency.Store].
func (f *Answers) Reserve(_ context.Context, r idempotency.Record, now time.Time) (idempotency.Record, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, ok := f.recs[r.Tenant+r.Key]
	if ok && now.Before(old.ExpiresAt) && (old.Done || now.Before(old.LeaseUntil)) {
		return old, false, nil
	}
	f.put(r)
	return r, true, nil
}

func (f *Answers) put(r idempotency.Record) {
	if f.recs == nil {
		f.recs = map[string]idempotency.Record{}
	}
	f.recs[r.Tenant+r.Key] = r
}

// Complete implements [idempotency.Store].
func (f *Answers) Complete(_ context.Context, r idempotency.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(r)
	return f.Fail
}

// Release implements [idempotency.Store].
func (f *Answers) Release(_ context.Context, r idempotency.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.recs, r.Tenant+r.Key)
	return f.Fail
}

// PurgeExpired implements [idempotency.Store].
func (f *Answers) PurgeExpired(context.Context, time.Time, int) (int, error) { return 0, nil }
