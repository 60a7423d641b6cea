package fanout

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	// waitingPages is how many pages may wait in hand for their turn, beyond those that are planned. A page that waits
	// takes a place among the tasks in hand; all others are left to notifications that are waited for.
	waitingPages = 8
	// longestTurn is how long a page is put back at most: another dispatcher may have nothing to do.
	longestTurn = time.Minute
)

// turns bounds the pages of uploads in hand: as many as there are processors are planned, a few wait, and the others go
// back to the queue, each for as long as those before it will take. It is safe for concurrent use.
type turns struct {
	places chan struct{} // one for each page that is planned
	now    func() time.Time

	mu      sync.Mutex
	waiting int
	took    time.Duration // a page, lately
	last    time.Time     // when the last page that was put back has its turn
}

func newTurns(now func() time.Time) *turns {
	const least = 2 // one waits for a store while the other is worked on
	return &turns{places: make(chan struct{}, max(least, runtime.GOMAXPROCS(0))), now: now}
}

// take waits for a turn and returns what ends it; or, if too many wait already, how long the page goes back to the queue.
func (t *turns) take(ctx context.Context) (done func(), later time.Duration, err error) {
	if later := t.line(); later > 0 {
		return nil, later, nil
	}
	defer t.leave()
	select {
	case t.places <- struct{}{}:
		begun := t.now()
		return func() { t.end(begun) }, 0, nil
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("wait for a turn: %w", ctx.Err())
	}
}

// line puts a page into the line, or says how long it goes away.
func (t *turns) line() (later time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting < waitingPages+cap(t.places)-len(t.places) {
		t.waiting++
		return 0
	}
	// A quarter early, so that the line is rather too long than empty.
	each := t.took * 3 / 4 / time.Duration(cap(t.places))
	now := t.now()
	if soonest := now.Add(waitingPages * each); t.last.Before(soonest) || t.last.After(now.Add(longestTurn)) {
		t.last = soonest
	}
	t.last = t.last.Add(each)
	return min(max(t.last.Sub(now), time.Second), longestTurn)
}

func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting--
}

// end gives the place to the next page, and notes how long this one took.
func (t *turns) end(begun time.Time) {
	<-t.places
	const memory = 8
	t.mu.Lock()
	defer t.mu.Unlock()
	if took := t.now().Sub(begun); took > 0 { // the clock was not set back
		t.took += (took - t.took) / memory
	}
}
