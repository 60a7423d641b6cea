package deliver

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// How long a chunk keeps its place in the worker while FCM is held off or cannot
// take all requests. Waiting in place costs nothing, and the chunk is sent the moment
// FCM is back; but meanwhile no other chunk can have the place.
const (
	// highPatience is the wait of a first push of the high lane: a chunk that goes back
	// to the queue is away for a second at least.
	highPatience = time.Second
	// retryPatience is the wait of retries: they leave their place to first attempts.
	retryPatience = 2 * time.Second
	// holdPatience is the wait of others before they are claimed: nothing of the lane
	// can be sent anyway. Now and then they make room for chunks that need no sending,
	// because they have expired.
	holdPatience = 10 * time.Second
	// signEvery is after how long a chunk that is put off again and again is claimed
	// all the same: the janitor takes a line that was not written for some twenty
	// minutes for abandoned.
	signEvery = 8 * time.Minute
	// throttledTurn is how long a throttled chunk may keep its place in the worker.
	// A full chunk takes longer below 34 a second; batches that slow, however
	// many, must not hold up the others of their lane.
	throttledTurn = 15 * time.Second
	// againLeast and againSpread are the wait of a chunk of retries when too many chunks
	// of retries are in hand.
	againLeast, againSpread = time.Second, 3 * time.Second
)

// holding keeps a chunk unclaimed while the guard would let none of it through: a
// claim costs two writes.
type holding struct {
	*timing

	heads   *heads
	lane    push.Lane    // see Config
	retries int          // see Config
	again   atomic.Int64 // chunks in hand that hold nothing but retries, if those are bounded
}

// run implements stage.
func (h *holding) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	if !j.connected() || !h.mayWait(j) {
		return nil, nil
	}
	best := 0
	for row := range j.chunk.Recipients {
		if j.chunk.AttemptOf(row) < j.chunk.AttemptOf(best) {
			best = row
		}
	}
	t := traffic(h.lane, j, best)
	if t == guard.TrafficRetry && !h.admitRetries(j) {
		return done(worker.RetryAfter(againLeast+h.jitter(againSpread), nil))
	}
	ask := guard.Ask{
		Traffic: t, Tenant: j.chunk.Tenant, Patience: patience(h.lane, t, min(holdPatience, j.deadline().Sub(h.now()))), Stop: j.draining,
	}
	if len(j.chunk.Recipients) == 1 {
		ask.To = j.chunk.Recipients[0].Address
	}
	err := j.channel.await(ctx, ask)
	off, putOff := errors.AsType[*guard.Deferred](err)
	switch {
	case errors.Is(err, guard.ErrStopped):
		return done(worker.HandBack())
	case err != nil && !putOff:
		return nil, err
	case h.elapsed()-j.begun > headFresh:
		if err := h.heads.refresh(ctx, j.head, j.n.ID); err != nil {
			return nil, err
		}
		j.n, j.begun = j.head.notification(), h.elapsed()
	}
	if !putOff || j.stopReason(h.now()) != stopNone {
		return nil, nil
	}
	return h.putOff(j, t, off.Until)
}

// putOff leaves a chunk on the queue as it is; a first push of the high lane is marked
// as put off.
func (h *holding) putOff(j *job, t guard.Traffic, until time.Time) (*worker.Verdict, error) {
	wait := max(0, min(time.Until(until), j.deadline().Sub(h.now()))) // to be told expired in time
	if t != guard.TrafficHigh {
		return done(worker.RetryAfter(wait, nil))
	}
	j.chunk.NotBefore = putOffBefore
	body, err := wire.EncodeChunk(&j.chunk, j.traceParent)
	if err != nil {
		return nil, err
	}
	return done(worker.RetryAfter(wait, body))
}

// putOffBefore marks a push that was put off. The time is long past, so that the queue
// alone keeps the wait, whatever the wall clock does.
var putOffBefore = time.UnixMilli(1) //nolint:gochecknoglobals // a constant

// admitRetries reports whether there is room for one more chunk of nothing but retries,
// and counts it. Without a bound, retries that time out each time would fill the lane.
func (h *holding) admitRetries(j *job) bool {
	if h.retries == 0 {
		return true
	}
	if h.again.Add(1) > int64(h.retries) {
		h.again.Add(-1)
		return false
	}
	j.places.retries = &h.again
	return true
}

// traffic returns the kind of traffic that a request to a row is. A push that was put
// off before is not high any more: pushes that come now must not wait behind a crowd
// that does not get through.
func traffic(lane push.Lane, j *job, row int) guard.Traffic {
	switch {
	case lane == push.LaneReplay:
		return guard.TrafficReplay
	case j.chunk.AttemptOf(row) > 1:
		return guard.TrafficRetry
	case lane == push.LaneHigh && j.chunk.Turn == 0 && j.chunk.NotBefore.IsZero():
		return guard.TrafficHigh
	}
	return guard.TrafficLive
}

// patience returns how long a request of a kind waits in its place: most at the longest.
func patience(lane push.Lane, t guard.Traffic, most time.Duration) time.Duration {
	switch {
	case t == guard.TrafficHigh:
		return min(most, highPatience)
	case lane == push.LaneHigh: // the lane has many small messages: none may wait in its place
		return 0
	case t == guard.TrafficRetry:
		return min(most, retryPatience)
	}
	return most
}
