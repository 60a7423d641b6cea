package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// How long a chunk keeps its place in the worker while FCM is held off or can't
// take all that is asked of it. Waiting in place costs nothing, and who does is
// there in the moment in which FCM is back; but a place that is waited in is not
// free for others.
const (
	// highPatience is that of a push of the high lane, straight from the queue: what
	// goes back to the queue is away for a second at least.
	highPatience = time.Second
	// retryPatience is that of retries: they leave their place to first attempts.
	retryPatience = 2 * time.Second
	// holdPatience is that of others before they are claimed: all of the lane can't
	// be sent anyway. Now and then they make room for what needs no sending, because
	// it has expired.
	holdPatience = 10 * time.Second
	// signEvery is after how long a chunk that is put off again and again is claimed
	// all the same: the janitor takes a line for abandoned that was not written for
	// some twenty minutes.
	signEvery = 8 * time.Minute
	// againLeast and againSpread are for a chunk of retries that finds too many of
	// them in hand.
	againLeast, againSpread = time.Second, 3 * time.Second
)

// traffic is what kind of request one to a row would be. A push that was put off
// before is no longer the best: those that come now are not to wait behind a crowd
// that does not get through.
func (d *Deliver) traffic(j *job, row int) guard.Traffic {
	switch {
	case d.Lane == push.LaneReplay:
		return guard.TrafficReplay
	case j.chunk.AttemptOf(row) > 1:
		return guard.TrafficRetry
	case d.Lane == push.LaneHigh && j.chunk.Turn == 0 && j.chunk.NotBefore.IsZero():
		return guard.TrafficHigh
	}
	return guard.TrafficLive
}

// leave is what the guard is asked for a row. What is claimed waits until the end
// of its turn: what goes back to the queue comes after the longest wait of the
// chunk.
func (d *Deliver) leave(j *job, row int, stop <-chan struct{}) guard.Ask {
	t := d.traffic(j, row)
	left := max(0, j.begun.Add(throttledTurn).Sub(d.Now()))
	return guard.Ask{Traffic: t, To: j.chunk.Recipients[row].Address, Patience: d.patience(t, left), Stop: stop}
}

func (d *Deliver) patience(t guard.Traffic, most time.Duration) time.Duration {
	switch {
	case t == guard.TrafficHigh:
		return min(most, highPatience)
	case d.Lane == push.LaneHigh: // the lane has many small messages: none may wait in its place
		return 0
	case t == guard.TrafficRetry:
		return min(most, retryPatience)
	}
	return most
}

// hold keeps a chunk from being claimed, which costs two writes, while the guard
// would let none of it through. After a death it does not: that this message was
// received before is the only trace of it.
func (d *Deliver) hold(ctx context.Context, j *job) (*worker.Verdict, error) {
	if j.receives > 1 || j.isolated || j.line.State == ledger.StateClaimed || j.line.State == ledger.StateClosed ||
		j.chunk.Turn < j.line.Turn || d.Now().Sub(j.line.UpdatedAt) > signEvery || d.stopReason(j) != stopNone {
		return nil, nil
	}
	best := 0
	for row := range j.chunk.Recipients {
		if j.chunk.AttemptOf(row) < j.chunk.AttemptOf(best) {
			best = row
		}
	}
	t := d.traffic(j, best)
	if t == guard.TrafficRetry && !d.admitRetries(j) {
		return done(worker.RetryAfter(againLeast+d.jitter(againSpread), nil))
	}
	ask := guard.Ask{Traffic: t, Patience: d.patience(t, min(holdPatience, j.deadline().Sub(d.Now()))), Stop: j.draining}
	if len(j.chunk.Recipients) == 1 {
		ask.To = j.chunk.Recipients[0].Address
	}
	err := d.Guard.Await(ctx, ask)
	off, putOff := errors.AsType[*guard.Deferred](err)
	switch {
	case errors.Is(err, guard.ErrStopped):
		return done(worker.HandBack())
	case err != nil && !putOff:
		return nil, err
	case d.Now().Sub(j.begun) > headFresh:
		if err := d.heads.refresh(ctx, j.head, j.n.ID); err != nil {
			return nil, err
		}
		j.n, j.begun = j.head.notification(), d.Now()
	}
	if !putOff || d.stopReason(j) != stopNone {
		return nil, nil
	}
	return d.putOff(j, t, off.Until)
}

// putOff leaves a chunk on the queue as it is; one of the best traffic remembers
// that it was put off.
func (d *Deliver) putOff(j *job, t guard.Traffic, until time.Time) (*worker.Verdict, error) {
	if end := j.deadline(); until.After(end) {
		until = end // to be told expired in time
	}
	wait := until.Sub(d.Now())
	if t != guard.TrafficHigh {
		return done(worker.RetryAfter(wait, nil))
	}
	j.chunk.NotBefore = until
	body, err := wire.EncodeChunk(&j.chunk, j.traceParent)
	if err != nil {
		return nil, err
	}
	return done(worker.RetryAfter(wait, body))
}

// admitRetries counts a chunk of retries only, if there is room for one more: such
// that time out each time would fill the lane.
func (d *Deliver) admitRetries(j *job) bool {
	if d.Retries == 0 {
		return true
	}
	if d.again.Add(1) > int64(d.Retries) {
		d.again.Add(-1)
		return false
	}
	j.again = true
	return true
}

func (d *Deliver) jitter(below time.Duration) time.Duration {
	d.rand.Lock()
	defer d.rand.Unlock()
	return time.Duration(d.Rand.Int64N(int64(below)))
}
