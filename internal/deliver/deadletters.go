package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// deadLetters sends the dead letters of recipients.
type deadLetters struct {
	queue       worker.Sink
	lane        push.Lane // see Config, as for the next ones
	maxAttempts int
	software    string
	log         *zap.Logger
}

// sendAll sends dead letters, and returns the codes whose letters could not be sent.
func (l *deadLetters) sendAll(ctx context.Context, j *job, all []givenUp, now time.Time) (unsent []push.Code) {
	for _, b := range all {
		j.span.Fail(b.end.String())
		j.span.Set(trace.Number(trace.KeyLetters, int64(len(b.results))))
		if err := l.send(ctx, j, b.end, b.results, now); err != nil {
			l.log.Warn("dead letters not sent; trying again", j.about(), zap.Error(err))
			unsent = append(unsent, b.end)
			continue
		}
		l.logSent(j, b.end, b.results)
	}
	return unsent
}

// logSent writes one line about the recipients of a chunk that were given up together, and
// the sum of what else has the same cause within a minute: a line for each of a million would
// flood the log.
func (l *deadLetters) logSent(j *job, end push.Code, results []result) {
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
	l.log.Warn("recipients dead-lettered", zap.Stringer("code", end), j.about(),
		zap.Int("recipients", len(results)), zap.Int("attempts", min(attempts, j.mostAttempts(l.maxAttempts))),
		zap.Stringer("last_code", common), zap.Int("with_last_code", codes[common]), telemetry.EachMinute())
}

// send puts given-up recipients on the dead-letter queue as one letter, or as several
// if one would be larger than a queue message.
func (l *deadLetters) send(ctx context.Context, j *job, end push.Code, results []result, now time.Time) error {
	last := results[0].code
	detail := "last: " + last.String()
	if end == push.CodePoison {
		last, detail = push.CodeOpen, results[0].detail // no attempt had an answer
	}
	w := wire.Undelivered{Chunk: push.Chunk{
		Ref: j.chunk.Ref, Tenant: j.chunk.Tenant, Turn: j.chunk.Turn, Attempt: j.chunk.Attempt, Since: j.chunk.Since, LastCode: last,
		Replay: j.chunk.Replay, Series: j.chunk.Series, ExpiresAt: j.chunk.ExpiresAt, Message: j.chunk.Message,
	}}
	for _, r := range results {
		code := r.code
		if end == push.CodePoison {
			code = push.CodeOpen
		}
		w.Chunk.Recipients = append(w.Chunk.Recipients, j.chunk.Recipients[r.row])
		w.Chunk.Index = append(w.Chunk.Index, j.chunk.Index[r.row])
		w.Chunk.Attempts = append(w.Chunk.Attempts, j.chunk.AttemptOf(r.row))
		w.Codes = append(w.Codes, code)
		w.Detail = append(w.Detail, r.detail)
	}
	body, err := wire.EncodeUndelivered(&w, j.position())
	if err != nil {
		return err
	}
	letter, err := wire.EncodeDeadLetter(&push.DeadLetter{
		Queue: push.DeliveryQueue(l.lane), Code: end, Detail: detail, Receives: j.receives,
		Body: body, Group: j.chunk.Tenant, SentAt: j.n.AcceptedAt, At: now, Software: l.software,
	})
	if half := len(results) / 2; errors.Is(err, wire.ErrTooLarge) && half > 0 {
		if err := l.send(ctx, j, end, results[:half], now); err != nil {
			return err
		}
		return l.send(ctx, j, end, results[half:], now)
	}
	if err != nil {
		return err
	}
	ctx, cancel := shortly(ctx)
	defer cancel()
	if err := l.queue.Send(ctx, []worker.Outgoing{{Body: letter, Group: j.chunk.Tenant}}); err != nil {
		return fmt.Errorf("dead-letter %d recipients: %w", len(results), err)
	}
	return nil
}
