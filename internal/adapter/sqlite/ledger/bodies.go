package ledger

import (
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	// bodiesBytes bounds what a generation of bodies keeps, counted as stored; decoded they take about twice that.
	bodiesBytes = 2 << 20
	// bodiesFor is how long a generation takes in bodies. One that nobody asks for is gone after twice that.
	bodiesFor = 30 * time.Second
)

// bodies remembers what of notifications never changes, decoded: fanout, deliver and whoever accepted one read it within
// the same second, and taking the body apart costs more than finding it. The head, which says whether the notification
// still exists and how far it is, is always read.
//
// They are kept by their row's number, which no other notification is ever given, and in two generations: when the
// younger is full or old enough, the elder goes. It is safe for concurrent use; the zero value is empty.
type bodies struct {
	now func() time.Time

	mu           sync.Mutex
	young, elder map[int64]push.Notification
	size         int // of young
	since        time.Time
}

// get returns a body, as a notification without progress. What it points to is shared: nobody may change it.
func (b *bodies) get(seq int64) (push.Notification, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	if n, ok := b.young[seq]; ok {
		return n, true
	}
	n, ok := b.elder[seq]
	return n, ok
}

// put remembers a body of so many bytes as stored. One that would take the place of many others is not kept.
func (b *bodies) put(seq int64, n push.Notification, size int) {
	const share = 16
	if size > bodiesBytes/share {
		return
	}
	n.Progress = push.Progress{}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	if b.young == nil {
		b.young = map[int64]push.Notification{}
	}
	b.young[seq] = n
	b.size += size
}

// forget removes a body.
func (b *bodies) forget(seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.young, seq)
	delete(b.elder, seq)
}

// turn begins a new generation if it is time. The lock is held.
func (b *bodies) turn() {
	now := b.now()
	if b.size < bodiesBytes && now.Sub(b.since) < bodiesFor {
		return
	}
	b.young, b.elder, b.size, b.since = nil, b.young, 0, now
}
