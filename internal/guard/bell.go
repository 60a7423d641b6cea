package guard

import "sync/atomic"

// bell wakes all who wait for a change. It is safe for concurrent use.
type bell struct{ ch atomic.Pointer[chan struct{}] }

func newBell() *bell {
	b := &bell{}
	ch := make(chan struct{})
	b.ch.Store(&ch)
	return b
}

// listen returns what is closed at the next ring. Whoever asks whether to wait
// listens first, so that no ring is missed in between.
func (b *bell) listen() <-chan struct{} { return *b.ch.Load() }

// ring is called under the guard's lock.
func (b *bell) ring() {
	ch := make(chan struct{})
	close(*b.ch.Swap(&ch))
}
