package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// load reads what the chunk belongs to.
func (d *Deliver) load(ctx context.Context, j *job) (*worker.Verdict, error) {
	if wait := j.chunk.NotBefore.Sub(d.Now()); wait > 0 {
		return done(worker.RetryAfter(wait, nil)) // a wait longer than the queue can delay
	}
	h, err := d.heads.get(ctx, j.chunk.Ref.Notification)
	if errors.Is(err, push.ErrNotFound) {
		return done(worker.Dead(push.CodeUnexpandable, "the ledger has no such notification"))
	}
	if err != nil {
		return nil, fmt.Errorf("read the notification: %w", err)
	}
	line, err := d.Lines.Line(ctx, j.chunk.Ref)
	if errors.Is(err, push.ErrNotFound) {
		return done(worker.Dead(push.CodeUnexpandable, "the ledger has no line for this chunk"))
	}
	if err != nil {
		return nil, fmt.Errorf("read the line: %w", err)
	}
	if last := j.chunk.Index[len(j.chunk.Index)-1]; last >= len(line.Cells) {
		return done(worker.Dead(push.CodeUndecodable, fmt.Sprintf("cell %d of a line with %d", last, len(line.Cells))))
	}
	if j.chunk.Message != nil {
		h = h.apart()
	}
	j.head, j.n, j.line, j.base, j.begun = h, h.notification(), line, line.Epoch, d.Now()
	if line.State == ledger.StateClaimed {
		return nil, nil // its owner may have died: this copy of the message knows
	}
	if wait := d.crowded(j); wait > 0 {
		return done(worker.RetryAfter(wait, nil))
	}
	return nil, nil
}

// claim takes the line for this process. The reservation of the first window
// is part of the claim, so that a crash right after it is accounted for.
func (d *Deliver) claim(ctx context.Context, j *job) (*worker.Verdict, error) {
	claimed, err := j.line.Claim(d.owner(), j.chunk.Turn, d.Now().UTC())
	switch {
	case errors.Is(err, ledger.ErrClosed):
		// Whoever closed it may have got no further.
		if err := d.complete(ctx, j); err != nil {
			return nil, err
		}
		return done(worker.Ack())
	case errors.Is(err, ledger.ErrStale):
		return done(worker.Ack())
	case errors.Is(err, ledger.ErrBusy):
		// The owner is alive and deletes its own copy. This one looks again later.
		return done(worker.RetryAfter(2*ledger.FreshFor, nil))
	case err != nil:
		return nil, err
	}
	claimed.Attempt = max(claimed.Attempt, j.chunk.Attempt)
	if len(j.suspects) > 0 {
		d.Metrics.suspected.Inc()
		claimed.Reserve(j.bounds(group(j.suspects)))
	} else {
		claimed.Reserve(0, d.reserve(j, 0))
	}
	err = d.Lines.SaveLine(ctx, claimed, j.base, nil)
	if errors.Is(err, ledger.ErrFenced) { // somebody wrote it this moment: as good as busy
		return done(worker.RetryAfter(2*ledger.FreshFor, nil))
	}
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	j.line, j.base = claimed, claimed.Epoch
	return nil, nil
}

// gate settles what needs no sending any more.
func (d *Deliver) gate(_ context.Context, j *job) (*worker.Verdict, error) {
	if j.n.Guarantee == push.AtMostOnce {
		for _, cell := range j.chunk.Index {
			if c := j.line.Cells[cell]; c.Open() && c.PossibleDuplicate() {
				d.settleCell(j, cell, push.CodeUnknown, false)
			}
		}
	}
	switch why := d.stopReason(j); why {
	case stopExpired:
		d.decideRest(j, push.CodeExpired, "")
	case stopCancelled:
		d.decideRest(j, push.CodeCancelled, "")
	case stopPaused, stopNone:
	case stopDrained, stopDeferred, stopPayload, stopLedger:
	}
	d.gateExhausted(j)
	return nil, nil
}

// gateExhausted gives up the rows that have had all their attempts, and came
// again only because their dead letter could not be sent.
func (d *Deliver) gateExhausted(j *job) {
	if j.chunk.Attempt <= d.MaxAttempts {
		return
	}
	code := j.chunk.LastCode
	if code == push.CodeOpen {
		code = push.CodeUnclassified
	}
	for row, cell := range j.chunk.Index {
		if j.chunk.AttemptOf(row) > d.MaxAttempts && j.line.Cells[cell].Open() {
			r := result{row: row, code: code}
			if code == push.CodePoison {
				r.detail = "the worker died again and again while sending to this recipient"
			}
			j.dead.add(r)
		}
	}
}

// decideRest gives every open recipient of the chunk the same outcome without
// asking FCM.
func (d *Deliver) decideRest(j *job, code push.Code, why string) {
	for _, cell := range j.chunk.Index {
		d.decide(j, cell, code, why)
	}
}

// decide gives a recipient an outcome without asking FCM. The reason, if there
// is one that the code does not tell, is kept as evidence without an attempt.
func (d *Deliver) decide(j *job, cell int, code push.Code, why string) {
	if why != "" && j.line.Cells[cell].Open() {
		j.attempts = append(j.attempts, ledger.Attempt{Cell: cell, Code: code, At: d.Now(), Detail: clip(why)})
	}
	d.settleCell(j, cell, code, false)
}

// clip bounds what is kept of a reason, as the ledger asks.
func clip(why string) string {
	const most = 300
	if len(why) <= most {
		return why
	}
	return strings.ToValidUTF8(why[:most-len("…")], "") + "…"
}

func (d *Deliver) settleCell(j *job, cell int, code push.Code, possibleDuplicate bool) {
	if j.line.Settle(cell, code, possibleDuplicate) {
		d.Metrics.outcome(code)
	}
}

// stop is why a chunk is not sent further in this turn.
type stop uint8

const (
	stopNone stop = iota
	stopExpired
	stopCancelled
	stopPaused
	stopDrained  // this process is shutting down
	stopDeferred // breaker, pace or budget said later
	stopPayload  // FCM called the message itself invalid
	stopLedger   // a checkpoint could not be written
)

// stopReason looks at the clock and at the notification as it is known now.
func (d *Deliver) stopReason(j *job) stop {
	return stopOf(j.n, j.deadline(), d.Now())
}

// stopOf looks at the clock and at the notification as it is given.
func stopOf(n *push.Notification, deadline, now time.Time) stop {
	switch {
	case n.Progress.State == push.StateCancelled:
		return stopCancelled
	case n.Progress.State == push.StatePaused:
		return stopPaused
	case !now.Before(deadline):
		return stopExpired
	}
	return stopNone
}
