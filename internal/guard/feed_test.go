package guard

import (
	"slices"
	"sync"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

func TestFeedKeepsOrderAmongManyDrainers(t *testing.T) {
	t.Parallel()
	const n = 2000
	var got []push.Code // written by one drainer at a time: the race detector checks that
	f := &feed{sink: func(c note) { got = append(got, c.Cause) }}
	var order sync.Mutex // stands for the breaker's lock
	var want []push.Code
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range n / 8 {
				code := push.Code((g*n/8 + i) % 251)
				order.Lock()
				want = append(want, code)
				f.put(note{Change: Change{Cause: code}})
				order.Unlock()
				f.drain()
			}
		})
	}
	wg.Wait()
	if !slices.Equal(got, want) {
		t.Fatalf("%d changes came out of %d, or in another order", len(got), len(want))
	}
}

func TestFeedSinkMayCauseChanges(t *testing.T) {
	t.Parallel()
	var got []BreakerState
	f := &feed{}
	f.sink = func(c note) {
		if c.To == BreakerOpen {
			f.put(note{Change: Change{To: BreakerHalfOpen}})
			f.drain() // must neither deadlock nor nest
		}
		got = append(got, c.To)
	}
	f.put(note{Change: Change{To: BreakerOpen}})
	f.drain()
	if !slices.Equal(got, []BreakerState{BreakerOpen, BreakerHalfOpen}) {
		t.Fatalf("got %v", got)
	}
}
