package deliver

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/deliver/lease"
	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/push"
)

// window keeps a bounded number of a chunk's requests under way. A row is sent only
// when a durable reservation covers it, under a claim that was confirmed a moment ago.
//
// Its senders take rows one after the other at the gate. Its own goroutine applies
// results, and has checkpoints written by another, one at a time.
type window struct {
	q     *requests
	j     *job
	order []int // rows to try

	gate    *gate
	results chan result        // closed when the last sender has ended
	refused chan result        // holds the row that got no leave, if there is one
	wanted  chan struct{}      // holds a token while the next row waits for the ledger
	renewed chan struct{}      // holds a token when that row should look again
	stop    context.CancelFunc // ends the asking

	mu      sync.Mutex
	left    int           // positions in order below this were taken to be sent, or skipped
	skipped int           // how many of them were skipped
	leftAt  time.Duration // when the last of them was taken, by the monotonic clock
	covered int           // positions below this are covered by a stored reservation

	why      stop
	answered []bool // by position
	lowest   int    // the first position that is not answered
	taken    int    // results
	unsaved  int    // of them since the last checkpoint began
	blocked  bool   // the next row waits for the checkpoint under way, or for one
	urgent   bool   // the ledger has to know something at once
	late     int    // checkpoints in a row that took longer than the claim holds
	saving   chan saved
	reading  chan struct{} // closed when the notification has been read again
	begun    time.Duration // by the monotonic clock
	speed    *pace.Speed
}

// saved is the end of a checkpoint.
type saved struct {
	lease.Save

	covers int // positions
}

func (q *requests) newWindow(j *job, order []int) *window {
	size := min(q.window, len(order))
	w := &window{
		q: q, j: j, order: order, answered: make([]bool, len(order)),
		gate:    newGate(size, pace.NewPermits(j.head.limiter, q.elapsed, j.begun+throttledTurn)),
		results: make(chan result, size), refused: make(chan result, 1), wanted: make(chan struct{}, 1), renewed: make(chan struct{}, 1),
		begun: q.elapsed(), speed: pace.NewSpeed(j.perSecond, q.elapsed(), checkpointEvery),
	}
	for w.covered < len(order) && j.lease.Line.Reserves(j.chunk.Index[order[w.covered]]) {
		w.covered++
	}
	return w
}

// run returns when every row was tried or something stopped the chunk, and nothing is
// under way any more. An error says that a checkpoint found the claim lost.
func (w *window) run(ctx context.Context) (lost error) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	w.stop = stop
	w.gate.running.Store(1)
	go w.work(ctx, asking)
	controlled := w.q.elapsed()
	results, draining, ended := w.results, w.j.draining, ctx.Done()
	for results != nil || w.saving != nil {
		ticked := false
		select {
		case r, open := <-results:
			if results = w.takeAll(ctx, results, r, open); results == nil {
				continue
			}
		case r := <-w.refused:
			w.refuse(r)
		case s := <-w.saving:
			if lost = w.saved(s); lost != nil {
				w.halt(stopLedger)
			}
		case <-w.wanted:
			w.blocked = !w.open()
		case <-draining:
			draining = nil
			w.halt(stopDrained)
			w.callOff()
		case <-ended: // requests under way end by themselves now; their results still count
			ended = nil
			w.halt(stopDrained)
		case <-w.reading:
			w.reading = nil
			w.look()
		case <-tick.C:
			if ticked = true; w.q.elapsed()-controlled >= controlEvery {
				controlled = w.q.elapsed()
				w.control(ctx)
			}
		}
		if results != nil && w.due(ticked) {
			w.checkpoint(ctx)
		}
	}
	select {
	case r := <-w.refused:
		w.refuse(r)
	default:
	}
	w.gate.permits.Close()
	w.q.pace.Took(w.left-w.skipped, w.leftAt-w.begun)
	return lost
}

// issued returns how many rows were taken to be sent.
func (w *window) issued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left
}

// open reports whether the next row may be sent.
func (w *window) open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left < w.covered && w.j.lease.Holds()
}

func (w *window) underWay() int { return w.issued() - w.taken }

// more reports whether rows are left to be sent.
func (w *window) more() bool { return w.why == stopNone && w.issued() < len(w.order) }

// takeMost is how many results are taken before the window looks after something else.
const takeMost = 16

// takeAll takes a result and those that came with it, without asking each time what else
// there may be to do. It returns nil when results is closed.
func (w *window) takeAll(ctx context.Context, results chan result, r result, open bool) chan result {
	for n := 1; open; n++ {
		w.take(ctx, r)
		if n == takeMost {
			return results
		}
		select {
		case r, open = <-results:
		default:
			return results
		}
	}
	return nil
}

func (w *window) take(ctx context.Context, r result) {
	w.taken++
	w.answered[r.place] = true
	for w.lowest < len(w.order) && w.answered[w.lowest] {
		w.lowest++
	}
	if !r.skipped {
		w.q.answered(ctx, w.j, r)
	}
	w.q.take(w.j, r)
	if r.code != push.CodeOpen {
		w.unsaved++
	}
	switch {
	case r.stop != stopNone:
		w.halt(r.stop)
	case r.deferred > 0 && !r.skipped:
		w.halt(stopDeferred)
	}
}

// refuse ends the sending at a row that got no leave.
func (w *window) refuse(r result) {
	w.q.take(w.j, r)
	if r.deferred > 0 {
		w.halt(stopDeferred)
	}
}

func (w *window) halt(why stop) {
	if w.why == stopNone && why != stopNone {
		w.why = why
		w.stop()
	}
}

// callOff ends a trial, because the process may be killed soon.
func (w *window) callOff() {
	w.urgent = w.j.lease.Line.Trial
	w.j.lease.Line.Trial = false
}

// look halts the chunk if the notification, as it is known now, was paused or cancelled,
// or has expired.
func (w *window) look() {
	w.j.n = w.j.head.notification()
	if why := w.j.stopReason(w.q.now()); why != stopNone {
		w.halt(why)
	}
	if w.why == stopNone && w.q.paused(w.j) {
		w.halt(stopDeferred)
	}
}

// control looks, and starts reading the notification again if that is due.
func (w *window) control(ctx context.Context) {
	w.look()
	if w.reading != nil || w.q.heads.age(w.j.head) < headFresh {
		return
	}
	read := make(chan struct{})
	w.reading = read
	go func() {
		defer close(read)
		// Requests go by the head's age, so a reading that failed needs no other word.
		_ = w.q.heads.refresh(ctx, w.j.head, w.j.head.notification().ID)
	}()
}

// stopOutcome returns the outcome of the rest of a chunk, CodeOpen if it goes back to
// the queue.
func stopOutcome(why stop) push.Code {
	switch why {
	case stopExpired:
		return push.CodeExpired
	case stopCancelled:
		return push.CodeCancelled
	case stopNone, stopPaused, stopDrained, stopDeferred, stopLedger, stopFinished:
	}
	return push.CodeOpen
}
