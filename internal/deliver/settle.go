package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// settleGrace bounds the writes that end a turn.
const settleGrace = 10 * time.Second

// settle ends the turn. The order is what makes a crash harmless: dead letters
// first, then the new queue message for what is open, then the ledger line, then
// effects, and the old queue message last. Whatever is cut short is repeated:
// a second dead letter has the same identity, a second queue message finds the
// line's turn or state.
//
// It outlives ctx by settleGrace, so that results known at shutdown are kept.
func (d *Deliver) settle(ctx context.Context, j *job) (*worker.Verdict, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleGrace)
	defer cancel()
	if err := d.makeSure(ctx, j); err != nil {
		return nil, err
	}
	now := d.Now().UTC()
	why := d.stopReason(j)
	if why == stopNone && j.head.badCause.Load() != nil {
		why = stopPayload
	}
	d.giveUp(ctx, j, now)
	if code := stopOutcome(why); code != push.CodeOpen {
		d.settleOpen(j, code)
	}
	if len(j.suspects) == 0 {
		j.line.Vanished = 0 // nobody died in this turn
	}
	next, err := d.nextLine(ctx, j, why, now)
	if err != nil {
		return nil, err
	}
	if !j.poison && next.State != ledger.StateClosed {
		next.Reserve(j.bounds(j.suspects)) // who is left of them, for the next owner
	}
	next.Epoch = j.base + 1
	if err := d.Lines.SaveLine(ctx, next, j.base, j.attempts); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	j.line = next
	j.resolveDoubts()
	d.Outcomes.Settled(ctx, j.n, &j.line, j.notes)
	switch j.line.State {
	case ledger.StateParked:
		err = d.unpark(ctx, j)
	case ledger.StateClosed:
		err = d.complete(ctx, j)
	case ledger.StatePlanned, ledger.StateClaimed, ledger.StateWaiting:
	}
	if err != nil {
		return nil, err
	}
	return done(worker.Ack())
}

// makeSure finds out what became of a checkpoint without an answer: the line is
// still this claim's, with it or without it, or somebody else's. Should it arrive
// only after this, it is refused, or the write that ends the turn is.
func (d *Deliver) makeSure(ctx context.Context, j *job) error {
	if j.unsure == nil {
		return nil
	}
	stored, err := d.Lines.Line(ctx, j.chunk.Ref)
	switch {
	case err != nil:
		return fmt.Errorf("read the line again: %w", err)
	case stored.Owner != j.line.Owner:
		return ledger.ErrFenced
	case stored.Epoch != j.unsure.epoch: // not written
		j.attempts = append(j.unsure.attempts, j.attempts...)
	}
	j.base = stored.Epoch
	return nil
}

// nextLine returns the line as this turn leaves it, and sends the message that
// goes with it.
//
// What is open is always in a message whose turn is not below the line's: this
// message raises the turn, and so makes all others stale, only if it holds every
// open cell. One that an owner sent who had lost its claim may not.
func (d *Deliver) nextLine(ctx context.Context, j *job, why stop, now time.Time) (ledger.Line, error) {
	open, all := j.openRows(), j.line.OpenCount()
	turn := j.line.Turn
	var due time.Time
	if len(open) == all {
		turn++
	}
	switch {
	case all == 0:
		return j.line.Close(now), nil
	case why == stopPaused:
		l := j.line.HandBack(ledger.StateParked, j.line.Turn, now)
		l.Attempt = d.lowestAttempt(j, open) // of all rows, when they are sent again
		return l, nil
	case len(open) > 0:
		var err error
		if due, err = d.handBack(ctx, j, open, turn, now); err != nil {
			return ledger.Line{}, err
		}
	default:
		turn = j.line.Turn
	}
	l := j.line.HandBack(ledger.StateWaiting, turn, now)
	l.Due = due
	return l, nil
}

func (d *Deliver) lowestAttempt(j *job, rows []int) int {
	lowest := d.MaxAttempts
	for _, row := range rows {
		lowest = min(lowest, j.retry.attempt(row, j.chunk.AttemptOf(row)))
	}
	return lowest
}

// unpark looks whether the notification was resumed while its line was being
// parked. Resuming changes the notification and then looks at the lines; parking
// writes the line and then looks at the notification: one of the two sees the
// other, and the chunk is sent.
func (d *Deliver) unpark(ctx context.Context, j *job) error {
	if err := d.heads.reread(ctx, j.head, j.n.ID); err != nil {
		return fmt.Errorf("read the notification again: %w", err)
	}
	open := j.openRows()
	if j.head.notification().Progress.State == push.StatePaused || len(open) == 0 {
		return nil
	}
	_, err := d.handBack(ctx, j, open, j.line.Turn, d.Now().UTC())
	return err
}

// settleOpen gives the open recipients an outcome without sending; personal
// messages are spared when it was the shared one that FCM refused.
func (d *Deliver) settleOpen(j *job, code push.Code) {
	why := ""
	if cause := j.head.badCause.Load(); cause != nil && code == push.CodePayloadInvalid {
		why = "FCM refused the message for another recipient: " + *cause
	}
	for row, cell := range j.chunk.Index {
		if code == push.CodePayloadInvalid && j.chunk.Recipients[row].HasOverrides() {
			continue
		}
		d.decide(j, cell, code, why)
	}
}

// handBack sends the open recipients to the queue again, as one smaller chunk,
// and returns the time before which they are not to be sent to, zero for now.
func (d *Deliver) handBack(ctx context.Context, j *job, open []int, turn int, now time.Time) (due time.Time, err error) {
	next := push.Chunk{
		Ref: j.chunk.Ref, Tenant: j.chunk.Tenant, Turn: turn,
		Since: j.chunk.Since, LastCode: j.retry.code, Attempt: 1,
		Replay: j.chunk.Replay, Series: j.chunk.Series, ExpiresAt: j.chunk.ExpiresAt, Message: j.chunk.Message,
	}
	if next.LastCode == push.CodeOpen {
		next.LastCode = j.chunk.LastCode
	}
	switch {
	case j.retry.postponed:
		// An open breaker, or an FCM out of reach, ends a series of attempts; the next
		// one starts afresh, so that an outage of hours is waited out and not counted
		// against anybody.
		next.Since = time.Time{}
	case next.Since.IsZero() && len(j.retry.rows) > 0:
		next.Since = now
	}
	uneven, tried := false, 0
	for _, row := range open {
		attempt := j.retry.attempt(row, j.chunk.AttemptOf(row))
		if attempt > j.chunk.AttemptOf(row) {
			tried++
		}
		next.Recipients = append(next.Recipients, j.chunk.Recipients[row])
		next.Index = append(next.Index, j.chunk.Index[row])
		next.Attempts = append(next.Attempts, attempt)
		uneven = uneven || attempt != next.Attempts[0]
		next.Attempt = max(next.Attempt, attempt)
	}
	if !uneven {
		next.Attempts = nil
	}
	at := j.retry.at
	if end := j.deadline(); at.After(end) {
		at = end // to be told expired in time
	}
	wait := max(at.Sub(now), 0)
	if wait > 0 {
		due = at.UTC().Truncate(time.Microsecond)
	}
	if wait > worker.MaxDelay {
		next.NotBefore, wait = at.Add(time.Millisecond), worker.MaxDelay // the wire cuts to milliseconds
	}
	body, err := wire.EncodeChunk(&next, j.traceParent)
	if err != nil {
		return due, err
	}
	wait = (wait + time.Second - 1).Truncate(time.Second)
	sink := d.Chunks[d.Lane]
	if err := sink.Send(ctx, []worker.Outgoing{{Body: body, Group: j.chunk.Tenant, Delay: wait}}); err != nil {
		return due, fmt.Errorf("hand back %d recipients: %w", len(open), err)
	}
	d.Metrics.retries.Add(float64(tried))
	return due, nil
}

// complete marks a notification of a single chunk as completed. Larger ones
// are completed by fanout's check, which counts all lines. It may be repeated.
func (d *Deliver) complete(ctx context.Context, j *job) error {
	if j.n.Progress.Pages != 1 || j.n.Progress.Early || !j.line.Last || j.line.Ref.Seq != 0 {
		return nil
	}
	first := false
	n, err := ledger.Advance(ctx, d.Notifications, j.n.ID, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		first = push.CanMove(p.State, push.StateCompleted)
		if first {
			p.State, p.CompletedAt, p.Enqueued = push.StateCompleted, d.Now().UTC(), true
		}
		return p, nil
	})
	if err != nil {
		return fmt.Errorf("mark as completed: %w", err)
	}
	if first {
		d.Outcomes.Completed(ctx, n, j.line.Tally())
	}
	return nil
}
