package deliver

import (
	"context"
	"sync"
	"time"

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

	next     int // position in order of the next row
	flying   int
	reserved int // cells below this may be sent to
	unsaved  int // results since the last checkpoint began
	saving   chan saved
	why      stop
}

// saved is the end of a checkpoint.
type saved struct {
	reserved int
	err      error
}

func (d *Deliver) newWindow(ctx context.Context, j *job, order []int) *window {
	size := min(d.Window, len(order))
	w := &window{
		d: d, j: j, order: order, reserved: j.line.Reserved,
		rows: make(chan int), results: make(chan result, size),
	}
	for range size {
		w.senders.Go(func() {
			for row := range w.rows {
				w.results <- d.request(ctx, j, row)
			}
		})
	}
	return w
}

// close ends the senders. Requests under way have been waited for by run.
func (w *window) close() {
	close(w.rows)
	w.senders.Wait()
}

// run returns when every row was tried or something stopped the chunk, and
// nothing is under way any more. Its error is that of a checkpoint: a lost
// claim, or a store that is away.
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
			w.next++
			w.flying++
		case r := <-w.results:
			w.flying--
			w.take(r)
		case s := <-w.saving:
			w.saving = nil
			if s.err != nil {
				failed = s.err
			} else {
				w.reserved = s.reserved
			}
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
			w.checkpoint(ctx, 1)
		}
		w.checkpoint(ctx, checkpointResults)
	}
	return failed
}

// more tells whether rows are left to hand out.
func (w *window) more() bool { return w.why == stopNone && w.next < len(w.order) }

// offer returns the channel to hand the next row out on, nil when none may be.
func (w *window) offer(failed error) (chan<- int, int) {
	if failed != nil || !w.more() {
		return nil, 0
	}
	row := w.order[w.next]
	if w.j.chunk.Index[row] >= w.reserved {
		return nil, 0 // the checkpoint under way, or the next one, extends it
	}
	return w.rows, row
}

func (w *window) take(r result) {
	w.d.apply(w.j, r)
	w.unsaved++
	switch {
	case !r.deferred.IsZero():
		w.halt(stopDeferred)
	case w.j.head.badCause.Load() != nil:
		w.halt(stopPayload)
	}
}

func (w *window) halt(why stop) {
	if w.why == stopNone {
		w.why = why
	}
}

// control looks whether the notification was paused, cancelled or has expired.
func (w *window) control(ctx context.Context) {
	if err := w.d.heads.refresh(ctx, w.j.head, w.j.n.ID); err == nil {
		w.j.n = w.j.head.notification()
	}
	w.halt(w.d.stopReason(w.j))
}

// checkpoint starts writing the line if at least so many results wait and no
// write is under way. The last write is left to settle, which closes the line.
func (w *window) checkpoint(ctx context.Context, least int) {
	blocked := w.more() && w.flying == 0 && w.j.chunk.Index[w.order[w.next]] >= w.reserved
	if w.saving != nil || !w.more() || w.unsaved < least && !blocked {
		return
	}
	line := w.j.line
	line.Cells = append(line.Cells[:0:0], line.Cells...)
	line.Reserved = max(line.Reserved, w.reserveFrom(w.next))
	line.UpdatedAt = w.d.Now().UTC()
	w.j.line.Reserved = line.Reserved
	attempts := w.j.attempts
	w.j.attempts = nil
	w.unsaved = 0
	done := make(chan saved, 1)
	w.saving = done
	epoch := w.j.base
	go func() {
		// The write is finished even if ctx ends now: it is this owner's, and
		// every checkpoint saved is a repeat avoided.
		err := w.d.Lines.SaveLine(context.WithoutCancel(ctx), line, epoch, attempts)
		done <- saved{reserved: line.Reserved, err: err}
	}()
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
	case stopNone, stopPaused, stopDrained, stopDeferred:
	}
	return push.CodeOpen
}
