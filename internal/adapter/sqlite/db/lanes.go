package db

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"
)

// lane says which writes go first.
type lane uint8

const (
	laneSoon  lane = iota // what somebody's promise hangs on: checkpoints, heartbeats, acceptances
	laneLater             // bulk
	lanes
)

// laterEvery is how long the first of the later lane waits at most while the other
// lane is never empty: the time for some ten transactions.
const laterEvery = 50 * time.Millisecond

// request is one caller's share of a group.
type request struct {
	f      func(tx *sql.Tx) error
	tail   Tail        // nil: none
	item   any         // what f left for the tail in its last run; nil: nothing
	asked  time.Time   // when it was put into its lane
	taken  atomic.Bool // by the writer, to run; or by its caller, to give up
	err    error       // f's own, for the writer
	result chan error  // buffered, answered at most once
}

// claim is won by one side only.
func (r *request) claim() bool { return r.taken.CompareAndSwap(false, true) }

// WriteLater is [DB.Write] for bulk: what fills the file beside the work, such as
// records of devices, imports and deletions of what is old. It lets go first whatever
// was given to Write, before each f, and runs in transactions of its own, so that a
// flood of it holds up no checkpoint, heartbeat or acceptance by more than one f. So
// an f should take no more than some ten milliseconds: who has more to write calls
// several times.
//
// It is not starved: even while there is always something to go first, one f runs
// every 50 ms. Callers that do not wait for each other share transactions. All else
// is as of Write: a nil error means that it is durable.
func (d *DB) WriteLater(ctx context.Context, f func(tx *sql.Tx) error) error {
	return d.writer.do(ctx, laneLater, &request{f: f})
}

// put adds a request to its lane, unless the writer is closed.
func (w *writer) put(l lane, r *request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	r.asked = time.Now()
	w.waiting[l] = append(w.waiting[l], r)
	return nil
}

// take empties the lane whose turn it is.
func (w *writer) take() (lane, []*request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.turnOf(time.Now())
	group := w.waiting[l]
	w.waiting[l] = nil
	return l, group
}

// turnOf returns whose turn it is. The lock is held.
func (w *writer) turnOf(now time.Time) lane {
	later := w.waiting[laneLater]
	if len(later) == 0 {
		return laneSoon
	}
	overdue := now.Sub(later[0].asked) >= laterEvery && now.Sub(w.ranLater) >= laterEvery
	if len(w.waiting[laneSoon]) > 0 && !overdue {
		return laneSoon
	}
	w.ranLater = now
	return laneLater
}

// takeAll empties both lanes.
func (w *writer) takeAll() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append(w.waiting[laneSoon], w.waiting[laneLater]...)
	w.waiting = [lanes][]*request{}
	return all
}

// occupied reports whether something waits in the lane.
func (w *writer) occupied(l lane) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting[l]) > 0
}

// requeue puts requests back to the head of their lane.
func (w *writer) requeue(l lane, requests []*request) {
	if len(requests) == 0 {
		return
	}
	w.mu.Lock()
	w.waiting[l] = append(requests, w.waiting[l]...)
	w.mu.Unlock()
	w.notify()
}

// hasTurn reports whether a lane may run one more request in the transaction that is
// open, after so many: bulk ends its own as soon as something is to go first.
func (w *writer) hasTurn(l lane, ran int, since time.Time) bool {
	switch {
	case ran == 0:
		return true
	case ran >= maxGroup || time.Since(since) > maxGroupTime:
		return false
	}
	return l == laneSoon || !w.occupied(laneSoon)
}
