package deliver

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
)

// requests makes requests to FCM for the chunks of a lane, singly or in windows, and
// writes their results into the jobs. Safe for concurrent use by several jobs.
type requests struct {
	*timing
	brakes

	heads       *heads
	pauses      Pauses
	pace        *pace.Pace
	erasures    Erasures
	lane        push.Lane // see Config, as for the next ones
	window      int
	maxAttempts int
	maxElapsed  time.Duration
	log         *zap.Logger
	metrics     *Metrics
}

// request makes one request to FCM if breaker, pace and budget allow it. Closing stop
// ends the wait for them, not the request.
func (q *requests) request(ctx context.Context, j *job, row int, stop <-chan struct{}) result {
	ticket, r, ok := q.admit(ctx, j, row, stop)
	if !ok {
		return r
	}
	return q.ask(ctx, j, row, ticket)
}

// admit waits for leave to make a request, until ctx ends or stop is closed.
// Without it, the result says when to ask again.
func (q *requests) admit(ctx context.Context, j *job, row int, stop <-chan struct{}) (guard.Ticket, result, bool) {
	r := result{row: row}
	ticket, err := j.channel.Guard.Admit(ctx, q.leave(j, row, stop))
	if err == nil {
		return ticket, r, true
	}
	if def, ok := errors.AsType[*guard.Deferred](err); ok {
		r.deferred = q.in(time.Until(def.Until))
	}
	return ticket, r, false
}

// ask makes the request that the ticket allows.
func (q *requests) ask(ctx context.Context, j *job, row int, ticket guard.Ticket) result {
	r, asked := q.try(ctx, j, row)
	if asked {
		ticket.Done(r.code, r.retryAfter)
	} else {
		ticket.Abandon()
	}
	return r
}

// try makes the request; asked reports whether it may have reached FCM.
func (q *requests) try(ctx context.Context, j *job, row int) (r result, asked bool) {
	begun := q.now()
	defer func() {
		if p := recover(); p != nil {
			r, asked = q.panicked(j, row, p, begun), true
		}
	}()
	buf := bodies.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer bodies.Put(buf)
	body, err := j.body((*buf)[:0], &j.chunk.Recipients[row], begun)
	if err != nil {
		r := failure(row, err, begun, q.now())
		r.unasked = true
		return r, false
	}
	*buf = body
	sent, r, ok := q.mayStart(ctx, j, row)
	if !ok {
		return r, false
	}
	sentAt := sent.Wall
	name, err := j.channel.Sender.Send(ctx, body)
	answered := q.moment()
	at, took := answered.Wall, answered.Elapsed-sent.Elapsed
	if err == nil {
		j.told(row, push.CodeSent, sentAt, took)
		return result{row: row, code: push.CodeSent, detail: name, sentAt: sentAt, at: at, took: took}, true
	}
	if _, classified := errors.AsType[*push.Error](err); !classified && ctx.Err() != nil {
		return result{row: row}, false
	}
	r = failure(row, err, sentAt, at)
	r.took = took
	j.told(row, r.code, sentAt, took)
	return r, true
}

// mayStart reports, right before a request, whether the notification is still to be
// sent and the line is still this claim's: breaker and pace may have held the request
// up, or the whole process may have been stopped. If that cannot be found out in time,
// the row waits; no attempt is used up. It also returns the time, for the request: a
// clock costs as much as all the rest.
func (q *requests) mayStart(ctx context.Context, j *job, row int) (now clock.Moment, r result, ok bool) {
	n, now, err := q.heads.valid(ctx, j.head)
	switch {
	case ctx.Err() != nil:
		return now, result{row: row}, false
	case err != nil || !j.lease.HeldAt(now):
		return now, result{row: row, deferred: q.in(retryPause)}, false
	}
	if q.erasures.Erased(n.Tenant, &j.chunk.Recipients[row], n.AcceptedAt) {
		return now, result{row: row, code: push.CodeUserErased, at: now.Wall, unasked: true}, false
	}
	if paused, _, _ := q.pauses.Paused(q.lane, n); paused {
		return now, result{row: row, deferred: q.in(pausedLeast + q.jitter(pausedSpread))}, false
	}
	why := j.stopBy(n, now.Wall)
	return now, result{row: row, stop: why}, why == stopNone && !j.held(row)
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

// take writes a result into the job.
func (q *requests) take(j *job, r result) {
	row, cell := r.row, j.chunk.Index[r.row]
	if r.code == push.CodeOpen {
		j.retry.postpone(r.deferred)
		if r.stop != stopNone {
			j.n = j.head.notification()
		}
		return
	}
	if r.code == push.CodeUserErased { // no attempt, and nothing to note about the device
		j.settle(cell, r.code, q.now(), q.metrics)
		return
	}
	attempt := j.chunk.AttemptOf(row)
	if r.detail == "" && (r.code == push.CodePayloadInvalid || r.code == push.CodePayloadTooLarge) {
		r.detail = "FCM gave no reason" // an empty one would look like one that was lost
	}
	if !r.code.Unreached() || !j.chunk.LastCode.Unreached() {
		j.attempted(row, r) // an outage of hours leaves one mark, not one for every look
	}
	q.metrics.answered(j, r, attempt)
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
		if !r.unasked && j.brake != nil && j.brake.Doubtful(&j.head.notification().Progress, rcp, r.code) {
			j.refused = append(j.refused, refusal{row: row, code: r.code})
			return
		}
		j.settle(cell, r.code, q.now(), q.metrics)
	case r.code.MaybeDelivered() && j.n.Guarantee == push.AtMostOnce:
		j.settle(cell, push.CodeUnknown, q.now(), q.metrics)
	case r.code.Unreached():
		j.retry.unreached(r.code, q.in(q.backoff(attempt, r)))
	default:
		if r.code.MaybeDelivered() {
			j.lease.Line.MarkAmbiguous(cell)
		}
		if attempt >= j.mostAttempts(q.maxAttempts) || q.overdue(j, r.at) {
			j.dead = append(j.dead, r) // settled when its letter is sent
			return
		}
		j.retry.again(row, attempt+1, r.code, q.in(q.backoff(attempt, r)))
	}
}

// overdue reports whether the chunk has been tried for longer than FCM wants a series of
// retries to last.
func (q *requests) overdue(j *job, now time.Time) bool {
	return !j.chunk.Since.IsZero() && now.Sub(j.chunk.Since) >= q.maxElapsed
}

// leave returns what the guard is asked for a row. A claimed row waits until the end of
// its turn, because a row that goes back to the queue returns only after the longest
// wait of the chunk.
func (q *requests) leave(j *job, row int, stop <-chan struct{}) guard.Ask {
	t := traffic(q.lane, j, row)
	left := max(0, j.begun+throttledTurn-q.elapsed())
	return guard.Ask{
		Traffic: t, Tenant: j.chunk.Tenant, To: j.chunk.Recipients[row].Address, Patience: patience(q.lane, t, left), Stop: stop,
	}
}

// panicked returns the result of a try that panicked, in rendering the message or in the
// sender. It is the recipient's own failure: the process, and all other chunks in it, go
// on. The code is unclassified, so the recipient is tried again a few times as after any
// unknown answer, flagged, and then dead-lettered with the panic as evidence. The panic
// does not speak against FCM's health.
func (q *requests) panicked(j *job, row int, p any, begun time.Time) result {
	q.log.Error("sending to a recipient panicked", j.about(), zap.Int("cell", j.chunk.Index[row]),
		zap.String("panic", panicText(p)), zap.ByteString("stack", debug.Stack()))
	return result{row: row, code: push.CodeUnclassified, detail: panicText(p), sentAt: begun, at: q.now()}
}

// panicText describes a panic. It repeats only the runtime's own words, because others
// may hold a token or a message.
func panicText(p any) string {
	const most = 300
	if err, ok := p.(error); ok {
		if re, ok := errors.AsType[runtime.Error](err); ok {
			s := "panic: " + re.Error()
			return s[:min(len(s), most)]
		}
	}
	return fmt.Sprintf("panic with a %T", p)
}
