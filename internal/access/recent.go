package access

import (
	"context"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"
)

// recent remembers what was read under names, for at most a time from the beginning of
// the read, so that a change is noticed within that time however often one asks. Who asks
// for the same at once shares one read. Safe for concurrent use.
type recent[T any] struct {
	now   func() time.Time
	keep  time.Duration
	cache *otter.Cache[string, seen[T]]
	reads singleflight.Group
}

// seen is a value with when its read began.
type seen[T any] struct {
	value T
	at    time.Time
}

// newRecent returns one that remembers so many names at most, each for at most keep.
func newRecent[T any](most int, keep time.Duration, now func() time.Time) (*recent[T], error) {
	cache, err := otter.New(&otter.Options[string, seen[T]]{
		MaximumSize: most, ExpiryCalculator: otter.ExpiryWriting[string, seen[T]](keep),
	})
	if err != nil {
		return nil, fmt.Errorf("cache of what was read of tenants: %w", err)
	}
	return &recent[T]{now: now, keep: keep, cache: cache}, nil
}

// get returns what is known under a name, or reads it. An error is not remembered.
func (r *recent[T]) get(ctx context.Context, name string, read func(context.Context) (T, error)) (T, error) {
	if s, ok := r.cache.GetIfPresent(name); ok && r.now().Sub(s.at) < r.keep {
		return s.value, nil
	}
	v, err, _ := r.reads.Do(name, func() (any, error) {
		s := seen[T]{at: r.now()}
		// Others wait for this read: it does not end with the request that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CacheFor)
		defer cancel()
		var err error
		if s.value, err = read(ctx); err == nil {
			r.cache.Set(name, s)
		}
		return s.value, err
	})
	value, _ := v.(T)
	return value, err
}

// forget has a name read anew.
func (r *recent[T]) forget(name string) { r.cache.Invalidate(name) }

// close ends the upkeep of the cache.
func (r *recent[T]) close() { r.cache.StopAllGoroutines() }
