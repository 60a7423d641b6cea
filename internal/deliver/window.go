package deliver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// window keeps a bounded number of a chunk's requests under way. Its goroutine
// hands rows out and applies results; checkpoints are written beside it, one
// at a time. A row is handed out only when a durable reservation covers it.
type window struct {
	d     *Deliver
	j     *job
	order []int // rows to try

	rows    chan int
	results chan result
	senders sync.WaitGroup
	permits *permits

	next     int // position in order of the next row
	flying   int
	reserved int       // cells below this may be sent to
	unsaved  int       // results since the last checkpoint began
	savedAt  time.Time // when that was
	saving   chan saved
	why      stop
	halted   chan struct{} // closed with why: who waits for leave goes home
	firsts   bool          // retries were put off: only first attempts are handed out
}

// saved is the end of a checkpoint.
type saved struct {
	epoch    int64 // that it wrote
	reserved int
	attempts []ledger.Attempt
	err      error
}

func (d *Deliver) newWindow(ctx context.Context, j *job, order []int) *window {
	size := min(d.Window, len(order))
	w := &window{
		d: d, j: j, order: order, reserved: j.line.Reserved, savedAt: j.line.UpdatedAt,
		rows: make(chan int), results: make(chan result, size), halted: make(chan struct{}),
		permits: newPermits(j.head.limiter, d.Now, j.begun.Add(throttledTurn)),
	}
	for range size {
		w.senders.Go(func() {
			for row := range w.rows {
				w.results <- d.request(ctx, j, row, w.halted)
			}
		})
	}
	return w
}

// close ends the senders. Requests under way have been waited for by run.
func (w *window) close() {
	w.permits.close()
	close(w.rows)
	w.senders.Wait()
}

// run returns when every row was tried or something stopped the chunk, and
// nothing is under way any more. Its error is that of a checkpoint which found
// the claim lost.
func (w *window) run(ctx context.Context) error {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	draining := w.j.draining
	lastControl := w.d.Now()
	ended := ctx.Done()
	var failed error
	for failed == nil && w.more() || w.flying > 0 || w.saving != nil {
		give, row := w.offer(failed)
		select {
		case give <- row:
			w.permits.used()
			w.next++
			w.flying++
		case r := <-w.results:
			w.flying--
			w.take(r)
		case s := <-w.saving:
			failed = w.saved(s)
		case <-w.permits.C():
		case <-draining:
			draining = nil
			w.halt(stopDrained)
		case <-ended: // requests under way end by themselves now; their results still count
			ended = nil
			w.halt(stopDrained)
		case <-tick.C:
			if w.d.Now().Sub(lastControl) >= controlEvery {
				lastControl = w.d.Now()
				w.control(ctx)
			}
			if failed == nil && w.dueByTime() {
				w.checkpoint(ctx)
			}
		}
		if failed == nil && w.dueByCount() {
			w.checkpoint(ctx)
		}
	}
	return failed
}

// more tells whether rows are left to hand out.
func (w *window) more() bool { return w.why == stopNone && w.next < len(w.order) }

// offer returns the channel to hand the next row out on, nil when none may be.
func (w *window) offer(failed error) (chan<- int, int) {
	for w.firsts && w.more() && w.j.chunk.AttemptOf(w.order[w.next]) > 1 {
		w.next++
	}
	if failed != nil || !w.more() {
		return nil, 0
	}
	row := w.order[w.next]
	if w.j.chunk.Index[row] >= w.reserved {
		return nil, 0 // the checkpoint under way, or the next one, extends it
	}
	ok, again := w.permits.ready()
	if !again.IsZero() {
		w.j.retry.postpone(again)
		w.halt(stopDeferred)
	}
	if !ok {
		return nil, 0
	}
	return w.rows, row
}

func (w *window) take(r result) {
	w.d.apply(w.j, r)
	if r.code != push.CodeOpen {
		w.unsaved++
	}
	switch {
	case r.stop != stopNone:
		w.halt(r.stop)
	case r.deferred.IsZero():
	case w.j.chunk.AttemptOf(r.row) > 1 && !w.j.isolated: // the others are not held up by what failed before
		w.firsts = true
	default:
		w.halt(stopDeferred)
	}
	if w.j.head.badCause.Load() != nil {
		w.halt(stopPayload)
	}
}

func (w *window) halt(why stop) {
	if w.why == stopNone && why != stopNone {
		w.why = why
		close(w.halted)
	}
}

// control looks whether the notification was paused, cancelled or has expired.
func (w *window) control(ctx context.Context) {
	if err := w.d.heads.refresh(ctx, w.j.head, w.j.n.ID); err == nil {
		w.j.n = w.j.head.notification()
	}
	w.halt(w.d.stopReason(w.j))
}

// dueByCount tells whether enough results wait for a checkpoint, or sending
// waits for the reservation of one. What the last results of a chunk come to is
// left to settle, which closes the line.
func (w *window) dueByCount() bool {
	if !w.more() {
		return false
	}
	return w.unsaved >= checkpointResults || w.flying == 0 && w.j.chunk.Index[w.order[w.next]] >= w.reserved
}

// dueByTime tells whether results have waited long enough; it is asked every
// checkpointEvery. While the last requests are under way it takes a full
// interval since the last checkpoint, so that a chunk whose answers come at the
// usual speed costs no write more. A line that nothing is learnt about is written
// as well, before others take its owner for dead.
func (w *window) dueByTime() bool {
	since := w.d.Now().Sub(w.savedAt)
	switch {
	case w.unsaved > 0 && w.more():
		return true
	case w.unsaved > 0:
		return w.flying > 0 && since >= checkpointEvery
	default:
		return (w.flying > 0 || w.more()) && since >= ledger.FreshFor/2
	}
}

// checkpoint starts writing the line, unless a write is under way.
func (w *window) checkpoint(ctx context.Context) {
	if w.saving != nil {
		return
	}
	now := w.d.Now().UTC()
	line := w.j.line
	line.Cells = append(line.Cells[:0:0], line.Cells...)
	line.Reserved = max(line.Reserved, w.reserveFrom(w.next))
	line.UpdatedAt = now
	line.Epoch = w.j.base + 1
	w.j.line.Reserved = line.Reserved
	attempts := w.j.attempts
	w.j.attempts = nil
	w.unsaved, w.savedAt = 0, now
	done := make(chan saved, 1)
	w.saving = done
	from := w.j.base
	go func() {
		// The write is finished even if ctx ends now: it is this owner's, and
		// every checkpoint saved is a repeat avoided.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleGrace)
		defer cancel()
		done <- saved{line.Epoch, line.Reserved, attempts, w.d.Lines.SaveLine(ctx, line, from, attempts)}
	}()
}

// saved takes note of how a checkpoint ended; it returns the error of a lost
// claim. A ledger that is away stops the sending, and settle tries once more to
// write what is known.
func (w *window) saved(s saved) error {
	w.saving = nil
	switch {
	case s.err == nil:
		w.reserved, w.j.base = s.reserved, s.epoch
		return nil
	case errors.Is(s.err, ledger.ErrFenced):
		return s.err
	}
	w.d.Log.Warn("checkpoint failed; ending the turn", zap.Stringer("chunk", w.j.chunk.Ref), zap.Error(s.err))
	w.j.unsure = &s
	w.j.retry.later(w.d.Now().Add(retryPause))
	w.halt(stopLedger)
	return nil
}

// reserveFrom is the reservation when the rows before position next were
// handed out.
func (w *window) reserveFrom(next int) int {
	ahead := min(next+w.d.Window+checkpointResults, len(w.order))
	return w.j.chunk.Index[w.order[ahead-1]] + 1
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
	case stopNone, stopPaused, stopDrained, stopDeferred, stopLedger:
	}
	return push.CodeOpen
}
