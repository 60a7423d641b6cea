package sendapi

import (
	"sync"
	"sync/atomic"
	"time"
)

// quota counts sends in minutes that begin with the first send in them: FCM's minutes are not aligned to the clock
// (https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas). It is safe for concurrent use.
type quota struct {
	perMinute atomic.Int64 // 0: no limit, and no lock taken

	mu     sync.Mutex
	minute time.Time // start of the current minute
	used   int64
}

// set changes the limit and begins a new minute.
func (q *quota) set(perMinute int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.perMinute.Store(int64(perMinute))
	q.minute, q.used = time.Time{}, 0
}

// take uses up one send. When none is left it returns false and the time until the next minute.
func (q *quota) take(now time.Time) (wait time.Duration, ok bool) {
	if q.perMinute.Load() == 0 {
		return 0, true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.minute) >= time.Minute {
		q.minute, q.used = now, 0
	}
	if q.used >= q.perMinute.Load() {
		return time.Minute - now.Sub(q.minute), false
	}
	q.used++
	return 0, true
}
