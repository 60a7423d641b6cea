package deliver

import (
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver/brake"
	"github.com/belfry-push/belfry/internal/deliver/lease"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/trace"
)

// job is one chunk on its way through the stages.
type job struct {
	chunk       push.Chunk
	traceParent string // as the message had it
	span        *trace.Span
	asked       *trace.Few // requests to FCM
	reached     observed   // by requests: what metrics have of this turn with its trace
	dwelt       observed   // likewise, by outcomes
	receives    int        // of the queue message, this one included
	queuedAt    time.Time  // the queue message; zero if it is not known
	takenAt     time.Time  // likewise, by this worker
	draining    <-chan struct{}

	begun time.Duration // this turn, by the monotonic clock

	perSecond float64 // rows a second that are expected to get leave

	head    *head
	n       *push.Notification // head's, as read last
	channel Channel            // zero: the app has no credential, so that nothing is sent

	shared *rendered    // head's message
	lease  *lease.Lease // on the chunk's line

	notes   []push.DeviceNote // for the registry, at the end
	brake   *brake.Brake      // nil: the chunk has none
	refused []refusal         // they may be everybody's: no outcome yet
	doubted []int             // indexes of notes that quarantine if the message was good for others
	retry   retry             // what is handed back
	dead    []result          // recipients that are given up

	places   places   // that it takes up
	suspects suspects // if workers died over the chunk
	state    turnState
	finished bool // the notification was completed before this turn, or this is a replay
}

// message is what the chunk's recipients get: the notification's message,
// unless a replay edited it.
func (j *job) message(n *push.Notification) push.Message {
	if j.chunk.Message != nil {
		return j.chunk.Message
	}
	return n.Message
}

// deadline is the time after which nothing of the chunk is sent.
func (j *job) deadline() time.Time { return j.deadlineBy(j.n) }

// deadlineBy is the same by a notification read later.
func (j *job) deadlineBy(n *push.Notification) time.Time {
	if !j.chunk.ExpiresAt.IsZero() {
		return j.chunk.ExpiresAt
	}
	return n.Deadline()
}

// turnState is how far a turn may go.
type turnState uint8

const (
	turnOpen turnState = iota
	turnOver           // nothing more is sent in this turn
)

// position is this turn's place in its trace, for whoever goes on with what it leaves.
func (j *job) position() string { return j.span.TraceParent(j.traceParent) }

// about is what lines of the log say they are about: the chunk, in the trace of this turn.
func (j *job) about() zap.Field { return about.Chunk(&j.chunk, j.position()) }

// end ends a turn, however it ended.
func (j *job) end() {
	j.places.leave()
	j.lease.Release()
}

// settle gives a recipient an outcome.
func (j *job) settle(cell int, code push.Code, at time.Time, m *Metrics) {
	if j.lease.Line.Settle(cell, code, false) {
		m.outcome(j, code, at)
	}
}

// settleAll gives every open recipient of the chunk the same outcome.
func (j *job) settleAll(code push.Code, at time.Time, m *Metrics) {
	for _, cell := range j.chunk.Index {
		j.settle(cell, code, at, m)
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
	stopLedger   // a checkpoint could not be written
	stopFinished // somebody else has finished the notification
)

// stopReason looks at the clock and at the notification as it was read last.
func (j *job) stopReason(now time.Time) stop { return j.stopBy(j.n, now) }

// stopBy looks at the clock and at the notification as it is given.
func (j *job) stopBy(n *push.Notification, now time.Time) stop {
	switch {
	case n.Progress.State == push.StateCancelled, j.head.term().Ended:
		return stopCancelled
	case n.Progress.State == push.StatePaused:
		return stopPaused
	case n.Progress.State == push.StateCompleted && !j.finished:
		return stopFinished
	case !now.Before(j.deadlineBy(n)):
		return stopExpired
	}
	return stopNone
}
