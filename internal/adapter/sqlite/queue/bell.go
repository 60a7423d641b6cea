package queue

import (
	"slices"
	"sync"
	"time"
)

// bell is where the receivers of one queue wait, first come first served.
type bell struct {
	queue int64 // its id

	mu      sync.Mutex
	waiters []*waiter
	now     func() int64 // the queue's time, of the last one that joined
	next    int64        // when a message comes due, as last seen; 0 when none does
}

// waiter is one waiting receive.
type waiter struct {
	rung chan struct{} // holds one token
}

// ring wakes one waiter. One is enough: it rings again when it leaves messages
// behind, and the others need not race for what it takes.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ringLocked()
}

func (b *bell) ringLocked() {
	if len(b.waiters) == 0 {
		return
	}
	b.waiters[0].rung <- struct{}{} // has room: a waiter is rung once, then out of the line
	b.waiters = slices.Delete(b.waiters, 0, 1)
}

func (b *bell) join(now func() int64) *waiter {
	me := &waiter{rung: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiters = append(b.waiters, me)
	b.now = now
	return me
}

// leave takes a waiter out of the line. A ring that it did not hear goes to the
// next one.
func (b *bell) leave(me *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiters, me); i >= 0 {
		b.waiters = slices.Delete(b.waiters, i, i+1)
	}
	select {
	case <-me.rung:
		b.ringLocked()
	default:
	}
}

// clock returns the queue's time, if anybody waits.
func (b *bell) clock() (now int64, occupied bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiters) == 0 {
		return 0, false
	}
	return b.now(), true
}

// expect notes when a message comes due; 0 when none does.
func (b *bell) expect(next int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = next
}

// until is how long that still takes.
func (b *bell) until(now int64) (left time.Duration, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Duration(b.next-now) * time.Millisecond, b.next != 0
}
