package guard

import (
	"sync"
	"sync/atomic"
)

// feed carries changes from inside the guard's lock, where they happen, to a
// sink that is called outside every lock, one change at a time, in their order.
type feed struct {
	sink func(note)

	waiting atomic.Bool // spares the hot path the lock

	mu    sync.Mutex
	queue []note
	busy  bool // somebody is draining, and will take what is added meanwhile
}

// put adds a change; it never calls the sink.
func (f *feed) put(c note) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, c)
	f.waiting.Store(true)
}

// drain hands what is queued to the sink, unless somebody is at it. The sink
// may cause further changes: they are handed over after it returned.
func (f *feed) drain() {
	if !f.waiting.Load() {
		return
	}
	if !f.begin() {
		return
	}
	for c, ok := f.next(); ok; c, ok = f.next() {
		f.sink(c)
	}
}

func (f *feed) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy {
		return false
	}
	f.busy = true
	return true
}

// next takes the oldest change; without one the draining is over.
func (f *feed) next() (note, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		f.queue = nil
		f.busy = false
		f.waiting.Store(false)
		return note{}, false
	}
	c := f.queue[0]
	f.queue = f.queue[1:]
	return c, true
}
