package fanout

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// inLine is how many wait.
func (t *turns) inLine() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiting
}

// TestTurnsLeavePlaces: of many pages that come at once few stay in hand, none is put back often, and planning goes on
// without gaps.
func TestTurnsLeavePlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pages, each = 357, 300 * time.Millisecond // a million recipients
		turns := newTurns(time.Now)
		var mu sync.Mutex
		var wg sync.WaitGroup
		most, puts := 0, 0
		begun := time.Now()
		for range pages {
			wg.Go(func() {
				for {
					done, later, err := turns.take(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if later == 0 {
						time.Sleep(each)
						done()
						return
					}
					mu.Lock()
					puts++
					most = max(most, turns.inLine())
					mu.Unlock()
					time.Sleep((later + time.Second - 1).Truncate(time.Second)) // as queues delay
				}
			})
		}
		wg.Wait()
		if limit := waitingPages + cap(turns.places); most > limit {
			t.Errorf("%d pages waited in hand, want %d at most", most, limit)
		}
		ideal := pages * each / time.Duration(cap(turns.places))
		if took := time.Since(begun); took > ideal*5/4 {
			t.Errorf("took %v, and could have %v", took, ideal)
		}
		if puts > 6*pages {
			t.Errorf("pages were put back %d times, %d of them", puts, pages)
		}
	})
}

// TestTurnEndsWithItsCtx: a page that waits in vain leaves its place in the line.
func TestTurnEndsWithItsCtx(t *testing.T) {
	t.Parallel()
	turns := newTurns(time.Now)
	for range cap(turns.places) {
		if _, later, err := turns.take(t.Context()); later != 0 || err != nil {
			t.Fatal(later, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 * waitingPages {
		if _, later, err := turns.take(ended); later != 0 || !errors.Is(err, context.Canceled) {
			t.Fatal(later, err)
		}
	}
}

// TestTurnIsNotFarOff: a clock that was set back, or pages that took for ever, put no page back for longer than the limit.
func TestTurnIsNotFarOff(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	turns := newTurns(func() time.Time { return now })
	turns.took, turns.waiting = time.Hour, waitingPages+cap(turns.places)
	for range 3 {
		if later := turns.line(); later < time.Second || later > longestTurn {
			t.Errorf("put back for %v", later)
		}
		now = now.Add(-time.Hour)
	}
}
