package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// loading reads the notification and the line of a chunk.
type loading struct {
	*timing

	heads *heads
	brake int // see Config
}

// longestWait is longer than any wait that is asked for: FCM's Retry-After is cut to
// less. A chunk whose time lies further off is due, because the clock was wrong then, or
// is wrong now.
const longestWait = 24 * time.Hour

// run implements stage.
func (l *loading) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	if v, err := l.tooEarly(j); v != nil || err != nil {
		return v, err
	}
	h, err := l.heads.get(ctx, j.chunk.Ref.Notification)
	if errors.Is(err, push.ErrNotFound) {
		return done(worker.Dead(push.CodeUnexpandable, "the ledger has no such notification"))
	}
	if err != nil {
		return nil, fmt.Errorf("read the notification: %w", err)
	}
	_, err = j.lease.Read(ctx, j.chunk.Ref)
	if errors.Is(err, push.ErrNotFound) {
		return done(worker.Dead(push.CodeUnexpandable, "the ledger has no line for this chunk"))
	}
	if err != nil {
		return nil, fmt.Errorf("read the line: %w", err)
	}
	if last := j.chunk.Index[len(j.chunk.Index)-1]; last >= len(j.lease.Line.Cells) {
		return done(worker.Dead(push.CodeUndecodable, fmt.Sprintf("cell %d of a line with %d", last, len(j.lease.Line.Cells))))
	}
	if j.chunk.Message != nil {
		h = h.apart()
	}
	j.head, j.n, j.begun = h, h.notification(), l.elapsed()
	j.brake = brakeOf(j, l.brake)
	j.finished = j.n.Progress.State == push.StateCompleted || j.chunk.Replay != ""
	if j.lease.Line.State == ledger.StateClaimed {
		return nil, nil // its owner may have died: this copy of the message shows it
	}
	if wait := l.crowded(j); wait > 0 {
		return done(worker.RetryAfter(wait, nil))
	}
	return nil, nil
}

// tooEarly puts a chunk back whose wait is longer than the queue can delay.
func (l *loading) tooEarly(j *job) (*worker.Verdict, error) {
	if j.chunk.Wait > 0 {
		rest := j.chunk
		wait := min(rest.Wait, worker.MaxDelay)
		if rest.Wait -= wait; rest.Wait == 0 {
			rest.NotBefore = time.Time{}
		}
		body, err := wire.EncodeChunk(&rest, j.traceParent)
		if err != nil {
			return nil, err
		}
		return done(worker.RetryAfter(wait, body))
	}
	if wait := j.chunk.NotBefore.Sub(l.now()); wait > 0 && wait <= longestWait {
		return done(worker.RetryAfter(wait, nil))
	}
	return nil, nil
}

// crowded returns how long a chunk should stay on the queue because other chunks of its
// batch use up the throttle, 0 if it may start. The wait is spread over the time that
// such a chunk takes, so that waiting chunks return one after the other.
func (l *loading) crowded(j *job) time.Duration {
	limiter := j.head.limiter
	if limiter == nil || j.stopReason(l.now()) != stopNone {
		return 0
	}
	wait := pace.Queueing(limiter, l.elapsed())
	if wait <= pace.Patience {
		return 0
	}
	took := float64(len(j.chunk.Index)) / float64(limiter.Limit()) * float64(time.Second)
	wait += l.jitter(time.Duration(took) + 1)
	return max(0, min(wait, j.deadline().Sub(l.now())))
}
