package deliver

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

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
	now := d.Now().UTC()
	why := d.stopReason(j)
	if why == stopNone && j.head.badCause.Load() != nil {
		why = stopPayload
	}
	if code := stopOutcome(why); code != push.CodeOpen {
		d.settleOpen(j, code)
	}
	if err := d.bury(ctx, j, now); err != nil {
		return nil, err
	}
	open := j.openRows()
	switch {
	case len(open) == 0:
		j.line = j.line.Close(now)
	case why == stopPaused:
		j.line = j.line.HandBack(ledger.StateParked, j.line.Turn, now)
	default:
		if err := d.handBack(ctx, j, open, now); err != nil {
			return nil, err
		}
		j.line = j.line.HandBack(ledger.StateWaiting, j.line.Turn+1, now)
	}
	if err := d.Lines.SaveLine(ctx, j.line, j.base, j.attempts); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	d.Outcomes.Settled(ctx, j.n, &j.line, j.notes)
	if j.line.State == ledger.StateClosed {
		d.complete(ctx, j)
	}
	return done(worker.Ack())
}

// settleOpen gives the open recipients an outcome without sending; personal
// messages are spared when it was the shared one that FCM refused.
func (d *Deliver) settleOpen(j *job, code push.Code) {
	for row, cell := range j.chunk.Index {
		if code == push.CodePayloadInvalid && j.chunk.Recipients[row].HasOverrides() {
			continue
		}
		d.settleCell(j, cell, code, false)
	}
}

// handBack sends the open recipients to the queue again, as one smaller chunk.
func (d *Deliver) handBack(ctx context.Context, j *job, open []int, now time.Time) error {
	next := push.Chunk{
		Ref: j.chunk.Ref, Tenant: j.chunk.Tenant, Turn: j.line.Turn + 1,
		Since: j.chunk.Since, LastCode: j.retry.code, Attempt: 1,
	}
	switch {
	case j.retry.postponed:
		// The breaker ends a series of attempts; the next one starts afresh, so that
		// an outage of hours is waited out and not counted against anybody.
		next.Since = time.Time{}
	case next.Since.IsZero() && len(j.retry.rows) > 0:
		next.Since = now
	}
	uneven := false
	for _, row := range open {
		attempt := j.chunk.AttemptOf(row) + j.retry.tried(row)
		next.Recipients = append(next.Recipients, j.chunk.Recipients[row])
		next.Index = append(next.Index, j.chunk.Index[row])
		next.Attempts = append(next.Attempts, attempt)
		uneven = uneven || attempt != next.Attempts[0]
		next.Attempt = max(next.Attempt, attempt)
	}
	if !uneven {
		next.Attempts = nil
	}
	wait := max(j.retry.at.Sub(now), 0)
	if wait > worker.MaxDelay {
		next.NotBefore, wait = j.retry.at, worker.MaxDelay
	}
	body, err := wire.EncodeChunk(&next, j.traceParent)
	if err != nil {
		return err
	}
	d.Metrics.retries.Add(float64(len(j.retry.rows)))
	wait = (wait + time.Second - 1).Truncate(time.Second)
	sink := d.Chunks[d.Lane]
	if err := sink.Send(ctx, []worker.Outgoing{{Body: body, Group: j.chunk.Tenant, Delay: wait}}); err != nil {
		return fmt.Errorf("hand back %d recipients: %w", len(open), err)
	}
	return nil
}

// complete marks a notification of a single chunk as completed. Larger ones
// are completed by fanout's check, which counts all lines.
func (d *Deliver) complete(ctx context.Context, j *job) {
	if j.n.Progress.Pages != 1 || !j.line.Last || j.line.Ref.Seq != 0 {
		return
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
		// The API derives the state from the line; only the event is late.
		d.Log.Warn("marking as completed failed", zap.String("notification", string(j.n.ID)), zap.Error(err))
		return
	}
	if first {
		d.Outcomes.Completed(ctx, n, j.line.Tally())
	}
}
