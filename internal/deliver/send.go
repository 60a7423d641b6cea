package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Checkpoints: every so many results or so much time, whichever is first. With
// 100 requests under way a SIGKILL then repeats some 90 sends, and all of them
// are flagged.
const (
	checkpointResults = 50
	checkpointEvery   = 100 * time.Millisecond
	controlEvery      = 250 * time.Millisecond
)

// result is what one request came to.
type result struct {
	row        int
	code       push.Code // CodeOpen: the request was not made
	detail     string
	retryAfter time.Duration
	deferred   time.Time // not made: not before this
	stop       stop      // not made: the notification is not to be sent any more
	sentAt     time.Time
	at         time.Time
	unasked    bool // refused here: FCM was not asked
}

// send tries every open recipient once, in order, with at most Window requests
// under way. The goroutine that runs it owns the job; requests run beside it and
// report back.
func (d *Deliver) send(ctx context.Context, j *job) (*worker.Verdict, error) {
	order := slices.DeleteFunc(j.sendable(d.MaxAttempts), func(row int) bool { return j.done[row] })
	if j.halted || len(order) == 0 || d.stopReason(j) != stopNone {
		return nil, nil
	}
	if len(order) == 1 && j.head.limiter == nil && j.chunk.Index[order[0]] < j.line.Reserved { // not so if the gate settled what the claim reserved
		d.apply(j, d.request(ctx, j, order[0], j.draining))
		return nil, nil
	}
	w := d.newWindow(ctx, j, order)
	defer w.close()
	return nil, w.run(ctx)
}

// openRows returns the rows of the chunk whose cells are open.
func (j *job) openRows() []int {
	rows := make([]int, 0, len(j.chunk.Index))
	for row, cell := range j.chunk.Index {
		if j.line.Cells[cell].Open() {
			rows = append(rows, row)
		}
	}
	return rows
}

// sendable returns the open rows, without those whose message FCM has called
// invalid, and without the given-up.
func (j *job) sendable(maxAttempts int) []int {
	rows := j.openRows()
	bad := j.head.badCause.Load() != nil
	if !bad && j.chunk.Attempt <= maxAttempts {
		return rows
	}
	return slices.DeleteFunc(rows, func(row int) bool {
		return bad && !j.chunk.Recipients[row].HasOverrides() || j.chunk.AttemptOf(row) > maxAttempts
	})
}

// reserve returns the reservation for a chunk of which the first issued open
// rows are under way or done: a window and a checkpoint's worth ahead, so that
// sending rarely waits for a checkpoint, and a crash can repeat no more.
func (d *Deliver) reserve(j *job, issued int) int {
	rows := j.openRows()
	ahead := min(issued+d.Window+checkpointResults, len(rows))
	if ahead == 0 {
		return 0
	}
	return j.chunk.Index[rows[ahead-1]] + 1
}

// request makes one request to FCM, if breaker, pace and budget allow. stop ends
// the wait for them, not the request.
func (d *Deliver) request(ctx context.Context, j *job, row int, stop <-chan struct{}) result {
	ticket, err := d.Guard.Admit(ctx, d.leave(j, row, stop))
	if err != nil {
		r := result{row: row}
		if def, ok := errors.AsType[*guard.Deferred](err); ok {
			r.deferred = def.Until
		}
		return r
	}
	r, asked := d.ask(ctx, j, row)
	if asked {
		ticket.Done(r.code, r.retryAfter)
	} else {
		ticket.Abandon()
	}
	return r
}

// ask makes the request, and tells whether FCM was asked or may have been.
func (d *Deliver) ask(ctx context.Context, j *job, row int) (r result, asked bool) {
	begun := d.Now()
	defer func() {
		if p := recover(); p != nil {
			r, asked = d.panicked(j, row, p, begun), true
		}
	}()
	buf := bodies.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer bodies.Put(buf)
	body, err := d.body((*buf)[:0], j, &j.chunk.Recipients[row], begun)
	if err != nil {
		r := failure(row, err, begun, d.Now())
		r.unasked = true
		return r, false
	}
	*buf = body
	if r, ok := d.mayStart(ctx, j, row); !ok {
		return r, false
	}
	sentAt := d.Now()
	name, err := d.Sender.Send(ctx, body)
	at := d.Now()
	if err == nil {
		return result{row: row, code: push.CodeSent, detail: name, sentAt: sentAt, at: at}, true
	}
	if _, classified := errors.AsType[*push.Error](err); !classified && ctx.Err() != nil {
		return result{row: row}, false
	}
	return failure(row, err, sentAt, at), true
}

// mayStart looks once more whether the notification is still to be sent, as the
// last thing before a request: breaker and pace may have held it up since it was
// handed out. If it can't be told in time, the row waits; no attempt is used up.
func (d *Deliver) mayStart(ctx context.Context, j *job, row int) (result, bool) {
	n, err := d.heads.valid(ctx, j.head)
	switch {
	case ctx.Err() != nil:
		return result{row: row}, false
	case err != nil:
		return result{row: row, deferred: d.Now().Add(retryPause)}, false
	}
	why := stopOf(n, j.deadlineBy(n), d.Now())
	return result{row: row, stop: why}, why == stopNone
}

func failure(row int, err error, sentAt, at time.Time) result {
	r := result{row: row, code: push.CodeOf(err), sentAt: sentAt, at: at}
	if e, ok := errors.AsType[*push.Error](err); ok {
		r.detail, r.retryAfter = e.Detail, e.RetryAfter
	}
	return r
}

//nolint:gochecknoglobals // pool of request bodies; holds no state
var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// apply writes a result into the job.
func (d *Deliver) apply(j *job, r result) {
	row, cell := r.row, j.chunk.Index[r.row]
	if r.code == push.CodeOpen {
		j.retry.postpone(r.deferred)
		if r.stop != stopNone {
			j.n = j.head.notification()
		}
		return
	}
	attempt := j.chunk.AttemptOf(row)
	if r.detail == "" && (r.code == push.CodePayloadInvalid || r.code == push.CodePayloadTooLarge) {
		r.detail = "FCM gave no reason" // an empty one would look like one that was lost
	}
	if !r.code.Unreached() || !j.chunk.LastCode.Unreached() {
		j.attempted(row, r) // an outage of hours leaves one mark, not one for every look
	}
	d.Metrics.answered(j.n, r, attempt)
	rcp := &j.chunk.Recipients[row]
	if note, ok := noteOf(rcp, r); ok {
		if doubts(rcp, r.code) {
			j.doubted = append(j.doubted, len(j.notes))
		}
		j.notes = append(j.notes, note)
	}
	if r.code == push.CodeSent && !rcp.HasOverrides() && !j.head.accepted.Load() {
		j.head.accepted.Store(true)
	}
	switch {
	case r.code.Terminal():
		d.settleCell(j, cell, r.code, false)
		if r.code == push.CodePayloadInvalid && !j.chunk.Recipients[row].HasOverrides() {
			cause := r.detail // a copy, so that results stay off the heap
			j.head.badCause.Store(&cause)
		}
	case r.code.MaybeDelivered() && j.n.Guarantee == push.AtMostOnce:
		d.settleCell(j, cell, push.CodeUnknown, false)
	case r.code.Unreached():
		j.retry.unreached(r.code, r.at.Add(d.backoff(attempt, r)))
	default:
		if r.code.MaybeDelivered() {
			j.line.MarkAmbiguous(cell)
		}
		if attempt >= d.MaxAttempts || d.overdue(j, r.at) {
			j.dead.add(r) // settled when its letter is sent
			return
		}
		j.retry.again(row, attempt+1, r.code, r.at.Add(d.backoff(attempt, r)))
	}
}

// overdue tells whether the chunk has been tried for longer than FCM wants a
// series of retries to last.
func (d *Deliver) overdue(j *job, now time.Time) bool {
	return !j.chunk.Since.IsZero() && now.Sub(j.chunk.Since) >= d.MaxElapsed
}

func (d *Deliver) backoff(attempt int, r result) time.Duration {
	d.rand.Lock()
	defer d.rand.Unlock()
	return d.Backoff.Next(attempt, r.code, r.retryAfter, d.Rand)
}
