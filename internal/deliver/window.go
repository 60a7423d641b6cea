package deliver

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// window keeps a bounded number of a chunk's requests under way. Its senders take
// rows one after the other at the gate; its own goroutine applies results, and
// has checkpoints written beside it, one at a time. A row is sent only when a
// durable reservation covers it, under a claim that was confirmed a moment ago.
type window struct {
	d     *Deliver
	j     *job
	order []int // rows to try

	gate    *gate
	results chan result        // closed when the last sender has ended
	refused chan result        // holds the row that got no leave, if there is one
	wanted  chan struct{}      // holds a token while the next row waits for the ledger
	renewed chan struct{}      // holds one when that row should look again
	stop    context.CancelFunc // ends the asking

	mu      sync.Mutex
	left    int           // the rows at positions in order below this were taken to be sent
	leftAt  time.Duration // when the last one was, by the monotonic clock
	covered int           // those below this may be

	why      stop
	answered []bool // by position
	lowest   int    // the first position that is not answered
	taken    int    // results
	unsaved  int    // of them since the last checkpoint began
	starving bool   // the next row waits for the checkpoint under way, or for one
	late     int    // checkpoints in a row after which the claim was too old at once
	saving   chan saved
	reading  chan struct{} // closed when the notification has been read again
	begun    time.Duration // by the monotonic clock
	speed    speed
}

// saved is the end of a checkpoint.
type saved struct {
	line     ledger.Line
	attempts []ledger.Attempt
	covers   int // positions
	begun    clock.Moment
	err      error
}

func (d *Deliver) newWindow(j *job, order []int) *window {
	size := min(d.Window, len(order))
	w := &window{
		d: d, j: j, order: order, answered: make([]bool, len(order)),
		gate:    newGate(size, newPermits(j.head.limiter, d.Elapsed, j.begun+throttledTurn)),
		results: make(chan result, size), refused: make(chan result, 1), wanted: make(chan struct{}, 1), renewed: make(chan struct{}, 1),
		begun: d.Elapsed(), speed: speed{perSecond: j.perSecond, at: d.Elapsed()},
	}
	for w.covered < len(order) && j.line.Reserves(j.chunk.Index[order[w.covered]]) {
		w.covered++
	}
	return w
}

// run returns when every row was tried or something stopped the chunk, and
// nothing is under way any more. Its error is that of a checkpoint which found
// the claim lost.
func (w *window) run(ctx context.Context) (lost error) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	w.stop = stop
	w.gate.running.Store(1)
	go w.work(ctx, asking)
	controlled := w.d.Elapsed()
	results, draining, ended := w.results, w.j.draining, ctx.Done()
	for results != nil || w.saving != nil {
		ticked := false
		select {
		case r, open := <-results:
			if !open {
				results = nil
				continue
			}
			w.take(r)
		case r := <-w.refused:
			w.refuse(r)
		case s := <-w.saving:
			if lost = w.saved(s); lost != nil {
				w.halt(stopLedger)
			}
		case <-w.wanted:
			w.starving = !w.open()
		case <-draining:
			draining = nil
			w.halt(stopDrained)
		case <-ended: // requests under way end by themselves now; their results still count
			ended = nil
			w.halt(stopDrained)
		case <-w.reading:
			w.reading = nil
			w.look()
		case <-tick.C:
			if ticked = true; w.d.Elapsed()-controlled >= controlEvery {
				controlled = w.d.Elapsed()
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
	w.gate.permits.close()
	w.d.pace.took(w.left, w.leftAt-w.begun)
	return lost
}

// issued returns how many rows were taken to be sent.
func (w *window) issued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left
}

// open tells whether the next row may be sent.
func (w *window) open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left < w.covered && w.d.holds(w.j)
}

func (w *window) flying() int { return w.issued() - w.taken }

// more tells whether rows are left to be sent.
func (w *window) more() bool { return w.why == stopNone && w.issued() < len(w.order) }

func (w *window) take(r result) {
	w.taken++
	w.answered[r.place] = true
	for w.lowest < len(w.order) && w.answered[w.lowest] {
		w.lowest++
	}
	w.d.apply(w.j, r)
	if r.code != push.CodeOpen {
		w.unsaved++
	}
	switch {
	case r.stop != stopNone:
		w.halt(r.stop)
	case r.deferred > 0:
		w.halt(stopDeferred)
	case w.j.head.badCause.Load() != nil:
		w.halt(stopPayload)
	}
}

// refuse ends the sending at a row that got no leave.
func (w *window) refuse(r result) {
	w.d.apply(w.j, r)
	if r.deferred > 0 {
		w.halt(stopDeferred)
	}
}

func (w *window) halt(why stop) {
	if w.why == stopNone {
		w.why = why
		w.stop()
	}
}

// look halts the chunk if the notification, as it is known now, was paused or
// cancelled, or has expired.
func (w *window) look() {
	w.j.n = w.j.head.notification()
	if why := w.d.stopReason(w.j); why != stopNone {
		w.halt(why)
	}
}

// control looks, and has the notification read again beside it if that is due.
func (w *window) control(ctx context.Context) {
	w.look()
	if w.reading != nil || w.d.heads.age(w.j.head) < headFresh {
		return
	}
	read := make(chan struct{})
	w.reading = read
	go func() {
		defer close(read)
		// Requests go by the head's age, so a reading that failed needs no other word.
		_ = w.d.heads.refresh(ctx, w.j.head, w.j.head.notification().ID)
	}()
}

// stopOutcome is what the rest of a chunk ends with, CodeOpen when it goes back
// to the queue.
func stopOutcome(why stop) push.Code {
	switch why {
	case stopExpired:
		return push.CodeExpired
	case stopCancelled:
		return push.CodeCancelled
	case stopPayload:
		return push.CodePayloadInvalid
	case stopNone, stopPaused, stopDrained, stopDeferred, stopLedger, stopFinished:
	}
	return push.CodeOpen
}
