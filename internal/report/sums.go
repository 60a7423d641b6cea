package report

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// How long one summing of a notification's lines answers all callers in this process:
// twenty times as long as it took, half a second at most. So the sums of one notification
// cost at most a twentieth of a core, however many callers there are, and cheap sums are as
// good as new.
const (
	shareTimes = 20
	shareMost  = 500 * time.Millisecond
)

// sums shares the sums over lines, which are O(lines), among callers at about the same time.
// Sums for different versions of the head are never shared, so that a caller who paused,
// cancelled or finished a notification sees later counts. Safe for concurrent use.
type sums struct {
	ledger  Notifications
	now     func() time.Time
	flights singleflight.Group

	mu   sync.Mutex
	kept map[push.ID]sum
}

type sum struct {
	counts  ledger.Counts
	version int64 // of the head that it was asked for with
	until   time.Time
}

func newSums(l Notifications, now func() time.Time) *sums {
	return &sums{ledger: l, now: now, kept: map[push.ID]sum{}}
}

// of returns the counts of a notification whose head has the given version; with fresh,
// from a summing that ends after the call. While one summing is under way, no other begins.
func (s *sums) of(ctx context.Context, id push.ID, version int64, fresh bool) (ledger.Counts, error) {
	if !fresh {
		s.mu.Lock()
		k, ok := s.kept[id]
		s.mu.Unlock()
		if ok && k.version == version && s.now().Before(k.until) {
			return k.counts, nil
		}
	}
	// The summing goes on if its caller hangs up: others wait for it.
	running := s.flights.DoChan(fmt.Sprintf("%s@%d", id, version), func() (any, error) {
		const longest = 20 * time.Second
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
		defer cancel()
		return s.add(ctx, id, version)
	})
	select {
	case <-ctx.Done():
		return ledger.Counts{}, context.Cause(ctx)
	case r := <-running:
		c, _ := r.Val.(ledger.Counts)
		return c, r.Err
	}
}

// add sums and keeps the result for the next callers.
func (s *sums) add(ctx context.Context, id push.ID, version int64) (ledger.Counts, error) {
	begun := s.now()
	c, err := s.ledger.Counts(ctx, id)
	if err != nil {
		return c, fmt.Errorf("count outcomes of %s: %w", id, err)
	}
	ended := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	const many = 256 // of a kilobyte each; beyond that, what is over is thrown out
	if len(s.kept) >= many {
		maps.DeleteFunc(s.kept, func(_ push.ID, k sum) bool { return !ended.Before(k.until) })
	}
	s.kept[id] = sum{counts: c, version: version, until: ended.Add(min(shareTimes*ended.Sub(begun), shareMost))}
	return c, nil
}
