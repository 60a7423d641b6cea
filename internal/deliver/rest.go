package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// retry collects what goes back to the queue: which rows were tried in vain,
// the number of their next attempt, and when all of them may be tried again.
type retry struct {
	rows map[int]int
	code push.Code // the last failure
	at   time.Time // the latest of all waits
	// postponed tells that breaker, pace or budget kept rows from being tried, or
	// that they were and did not get as far as FCM.
	postponed bool
}

// again notes a failed try, the number of the next, and when it may be.
func (r *retry) again(row, attempt int, code push.Code, at time.Time) {
	if r.rows == nil {
		r.rows = make(map[int]int)
	}
	r.rows[row] = attempt
	r.code = code
	r.later(at)
}

// postpone notes that a row was not tried, and when it may be.
func (r *retry) postpone(at time.Time) {
	if !at.IsZero() {
		r.postponed = true
		r.later(at)
	}
}

// unreached notes a try that did not get as far as FCM, and when the next may be.
// It was none, as far as the attempts are concerned.
func (r *retry) unreached(code push.Code, at time.Time) {
	r.code = code
	r.postpone(at)
}

// later notes that nothing may be sent before at.
func (r *retry) later(at time.Time) {
	if at.After(r.at) {
		r.at = at
	}
}

// attempt returns the try that the row is at next. now is the one that it was
// at in this turn: deferring uses up none.
func (r *retry) attempt(row, now int) int {
	if next, ok := r.rows[row]; ok {
		return next
	}
	return now
}

// undelivered collects recipients whose attempts are exhausted.
type undelivered struct{ results []result }

func (u *undelivered) add(r result) { u.results = append(u.results, r) }

// giveUp dead-letters what has had all its attempts, and only then settles it:
// an outcome that says so must have its letter. A dead-letter queue that is away
// keeps the rows open; they come again, and are not sent to FCM again.
func (d *Deliver) giveUp(ctx context.Context, j *job, now time.Time) {
	results := slices.DeleteFunc(j.dead.results, func(r result) bool { return !j.line.Cells[j.chunk.Index[r.row]].Open() })
	slices.SortFunc(results, func(a, b result) int { return a.row - b.row })
	var exhausted, poison []result
	for _, r := range results {
		if r.code == push.CodePoison {
			poison = append(poison, r)
		} else {
			exhausted = append(exhausted, r)
		}
	}
	d.buryAll(ctx, j, push.CodeAttemptsExhausted, exhausted, now)
	d.buryAll(ctx, j, push.CodePoison, poison, now)
}

// buryAll dead-letters and settles results that end with the same code.
func (d *Deliver) buryAll(ctx context.Context, j *job, end push.Code, results []result, now time.Time) {
	if len(results) == 0 {
		return
	}
	if err := d.bury(ctx, j, end, results, now); err != nil {
		d.Log.Warn("dead letters not sent; trying again", zap.Stringer("chunk", j.chunk.Ref), zap.Error(err))
		for _, r := range results {
			j.retry.again(r.row, d.MaxAttempts+1, r.code, now.Add(retryPause))
		}
		return
	}
	for _, r := range results {
		d.settleCell(j, j.chunk.Index[r.row], end, r.code.MaybeDelivered())
	}
	d.tellBuried(j, end, results)
}

// tellBuried writes one line about those of a chunk who were given up together:
// at a million of them a line each would bury the log.
func (d *Deliver) tellBuried(j *job, end push.Code, results []result) {
	codes, attempts := map[push.Code]int{}, 0
	for _, r := range results {
		codes[r.code]++
		attempts = max(attempts, j.chunk.AttemptOf(r.row))
	}
	common := results[0].code
	for code, n := range codes {
		if n > codes[common] || n == codes[common] && code < common {
			common = code
		}
	}
	d.Log.Warn("recipients dead-lettered", zap.Stringer("code", end), zap.Stringer("chunk", j.chunk.Ref), zap.String("tenant", j.chunk.Tenant),
		zap.Int("recipients", len(results)), zap.Int("attempts", min(attempts, d.MaxAttempts)),
		zap.Stringer("last_code", common), zap.Int("with_last_code", codes[common]))
}

// bury puts the given-up recipients on the dead-letter queue as one letter, or as
// several if what is known of them is longer than a queue message.
func (d *Deliver) bury(ctx context.Context, j *job, end push.Code, results []result, now time.Time) error {
	last := results[0].code
	detail := "last: " + last.String()
	if end == push.CodePoison {
		last, detail = push.CodeOpen, results[0].detail // no attempt had an answer to tell of
	}
	u := wire.Undelivered{Chunk: push.Chunk{
		Ref: j.chunk.Ref, Tenant: j.chunk.Tenant, Turn: j.chunk.Turn, Attempt: j.chunk.Attempt, Since: j.chunk.Since, LastCode: last,
		Replay: j.chunk.Replay, Series: j.chunk.Series, ExpiresAt: j.chunk.ExpiresAt, Message: j.chunk.Message,
	}}
	for _, r := range results {
		code := r.code
		if end == push.CodePoison {
			code = push.CodeOpen
		}
		u.Chunk.Recipients = append(u.Chunk.Recipients, j.chunk.Recipients[r.row])
		u.Chunk.Index = append(u.Chunk.Index, j.chunk.Index[r.row])
		u.Chunk.Attempts = append(u.Chunk.Attempts, j.chunk.AttemptOf(r.row))
		u.Codes = append(u.Codes, code)
		u.Detail = append(u.Detail, r.detail)
	}
	body, err := wire.EncodeUndelivered(&u, j.traceParent)
	if err != nil {
		return err
	}
	letter, err := wire.EncodeDeadLetter(&push.DeadLetter{
		Queue: push.DeliveryQueue(d.Lane), Code: end, Detail: detail, Receives: j.receives,
		Body: body, Group: j.chunk.Tenant, SentAt: j.n.AcceptedAt, At: now, Software: d.Software,
	})
	if half := len(results) / 2; errors.Is(err, wire.ErrTooLarge) && half > 0 {
		if err := d.bury(ctx, j, end, results[:half], now); err != nil {
			return err
		}
		return d.bury(ctx, j, end, results[half:], now)
	}
	if err != nil {
		return err
	}
	if err := d.Dead.Send(ctx, []worker.Outgoing{{Body: letter, Group: j.chunk.Tenant}}); err != nil {
		return fmt.Errorf("dead-letter %d recipients: %w", len(results), err)
	}
	return nil
}

// attempted keeps the evidence of a request.
func (j *job) attempted(row int, r result) {
	detail := r.detail
	if r.code == push.CodeSent {
		// The rest of the name is the project, the same for all.
		detail = detail[strings.LastIndexByte(detail, '/')+1:]
	}
	a := ledger.Attempt{Cell: j.chunk.Index[row], Code: r.code, At: r.at, Detail: detail}
	if !r.unasked {
		a.Attempt, a.Latency = j.chunk.AttemptOf(row), r.at.Sub(r.sentAt)
	}
	j.attempts = append(j.attempts, a)
}

// noteOf returns what a result teaches about the device: every failure that is
// its own, and a success when the registry's is old.
func noteOf(rcp *push.Recipient, r result) (push.DeviceNote, bool) {
	if !rcp.Address.Kind.IsDevice() {
		return push.DeviceNote{}, false
	}
	note := push.DeviceNote{Address: rcp.Address, Code: r.code, At: r.at, SentAt: r.sentAt}
	switch r.code.Blame() {
	case push.BlameDevice:
		note.Quarantine = true
		return note, true
	case push.BlameToken, push.BlameUnclear, push.BlamePlatform, push.BlameProject:
		return note, true
	case push.BlameMessage, push.BlameNobody:
	}
	return note, r.code == push.CodeSent && rcp.Renew
}

// doubts tells whether a refusal blames the address only if the message was good
// for others. A message of the recipient's own was tried on nobody else: then
// the address must have been named.
func doubts(rcp *push.Recipient, code push.Code) bool {
	return code.Blame() == push.BlameToken || code.Blame() == push.BlameUnclear && !rcp.HasOverrides()
}

// resolveDoubts quarantines the addresses that were called invalid, if the same
// message was accepted for others: in this process, or, whoever sent it, in this
// chunk, as the ledger says. Google's guide names both
// (https://firebase.google.com/docs/cloud-messaging/manage-tokens#detect-invalid-token-responses-from-the-fcm-backend).
func (j *job) resolveDoubts() {
	good := j.head.accepted.Load() || slices.ContainsFunc(j.line.Cells, func(c ledger.Cell) bool { return c.Code() == push.CodeSent })
	for _, i := range j.doubted {
		j.notes[i].Quarantine = good
	}
}
