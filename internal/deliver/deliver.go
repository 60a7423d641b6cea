// Package deliver sends chunks to FCM. One chunk passes a chain of stages, in
// this order, each a file:
//
//	load    read the chunk's notification and ledger line
//	inspect whether workers died over it again and again (docs/adr/0004)
//	hold    wait, or stay on the queue, while FCM is held off
//	claim   take the line; nobody else may write it from now on
//	gate    give up what is expired, cancelled or already may have been delivered
//	render  encode the message once, personal ones per recipient
//	isolate send to suspects in ever smaller groups, if workers died over it
//	send    open recipients through breaker and pacing in a bounded window,
//	        with outcomes checkpointed every 50 results or 100 ms
//	settle  close the line, or hand the rest back to the queue
//
// A crash anywhere leaves the queue message, which comes again, and a line that
// knows what is decided and which recipients may have been sent to.
//
// Every write of a line raises its epoch, not just a claim. A claim is made of
// what was read before: if its owner, slow but alive, wrote a checkpoint in
// between under the same epoch, the claim would undo those outcomes.
package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Sender makes exactly one request to FCM per call. The error is a
// *push.Error, or ctx's error if the request was certainly not made.
type Sender interface {
	Send(ctx context.Context, body []byte) (name string, err error)
}

// Encoder writes a complete message, without a target, as JSON to send. An error
// of code payload.invalid means that nobody can get it, and says why.
type Encoder interface {
	Encode(m push.Message) (push.Message, error)
}

// Notifications are the heads of what is delivered.
type Notifications interface {
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	Advance(ctx context.Context, id push.ID, next push.Progress) error
}

// Lines are the chunks' ledger lines.
type Lines interface {
	Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error)
	SaveLine(ctx context.Context, line ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error
}

// Outcomes is told what became of a chunk, after it is durable.
type Outcomes interface {
	Settled(ctx context.Context, n *push.Notification, line *ledger.Line, notes []push.DeviceNote)
	Completed(ctx context.Context, n push.Notification, c ledger.Counts)
}

// Config is what the room is built from.
type Config struct {
	Owner         string // names this process in ledger lines, with a number for every claim; unique per start
	Notifications Notifications
	Lines         Lines
	Sender        Sender
	Encoder       Encoder
	Guard         *guard.Guard
	Isolation     *Isolation // shared by the lanes of a process; nil: one of its own
	Backoff       guard.Backoff
	Outcomes      Outcomes
	Chunks        map[push.Lane]worker.Sink // the delivery queues, for what is handed back
	Dead          worker.Sink               // dead letters of recipients
	Lane          push.Lane                 // of this instance
	Window        int                       // requests of one chunk under way at once, 1..500
	Retries       int                       // chunks in hand at once that hold nothing but retries; 0: any number
	MaxAttempts   int                       // per recipient, from 1
	MaxElapsed    time.Duration             // from a recipient's first attempt; FCM: give up by 60 min
	Software      string                    // version, written into dead letters
	Log           *zap.Logger
	Metrics       *Metrics
	Now           func() time.Time
	Rand          *rand.Rand // jitter; guarded by the room
}

// Deliver handles chunks of one lane's queue. Safe for concurrent use.
type Deliver struct {
	Config

	heads  *heads
	rand   sync.Mutex
	claims atomic.Int64 // made so far
	again  atomic.Int64 // chunks in hand that hold nothing but retries, if those are bounded
}

// New returns the room.
func New(cfg Config) (*Deliver, error) {
	h, err := newHeads(cfg.Notifications, cfg.Encoder, cfg.Now)
	if err != nil {
		return nil, err
	}
	if cfg.Isolation == nil {
		cfg.Isolation = NewIsolation()
	}
	return &Deliver{Config: cfg, heads: h}, nil
}

// Close ends what runs in the background: the upkeep of the cache. The room is
// not used after that.
func (d *Deliver) Close() { d.heads.cache.StopAllGoroutines() }

// owner names one claim. Two copies of a queue message may be in hand in one
// process at the same time, and must not take each other for themselves.
func (d *Deliver) owner() string { return d.Owner + "#" + strconv.FormatInt(d.claims.Add(1), 10) }

// job is one chunk on its way through the stages.
type job struct {
	chunk       push.Chunk
	traceParent string
	receives    int // of the queue message, this one included
	draining    <-chan struct{}

	begun time.Time // this turn

	head   *head
	n      *push.Notification // head's, as read last
	shared *rendered          // head's message
	line   ledger.Line        // this owner's state of the line
	base   int64              // epoch under which the line is stored

	attempts []ledger.Attempt  // since the last save
	unsure   *saved            // a save that failed, or whose answer got lost
	notes    []push.DeviceNote // for the registry, at the end
	doubted  []int             // those of notes that quarantine if the message was good for others
	retry    retry             // what is handed back
	dead     undelivered       // what is given up

	again    bool         // this chunk is counted as one of retries only
	isolated bool         // this chunk has the process's isolation
	suspects []int        // rows not cleared yet, if workers died over the chunk
	poison   bool         // the only suspect is the one
	done     map[int]bool // rows tried as suspects in this turn
	halted   bool         // nothing more is sent in this turn
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

// A stage does its part of a job. A non-nil verdict ends the chain.
type stage func(ctx context.Context, j *job) (*worker.Verdict, error)

// chain is the life of a chunk in reading order.
func (d *Deliver) chain() []stage {
	return []stage{d.load, d.inspect, d.hold, d.claim, d.gate, d.render, d.isolate, d.send, d.settle}
}

// retryPause is how long a chunk waits when a store is away.
const retryPause = 5 * time.Second

// Handle implements worker.Handler.
func (d *Deliver) Handle(ctx context.Context, msg worker.Message, draining <-chan struct{}) worker.Verdict {
	select {
	case <-draining:
		return worker.HandBack()
	default:
	}
	chunk, traceParent, err := wire.DecodeChunk(msg.Body)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	j := &job{chunk: chunk, traceParent: traceParent, receives: msg.Receives, draining: draining}
	defer d.release(j)
	for _, run := range d.chain() {
		v, err := run(ctx, j)
		switch {
		case err != nil:
			return d.failed(ctx, j, err)
		case v != nil:
			return *v
		}
	}
	return worker.Ack()
}

// failed turns a stage's error into a verdict: a lost claim is somebody else's
// chunk, a store that is away is waited for.
func (d *Deliver) failed(ctx context.Context, j *job, err error) worker.Verdict {
	log := d.Log.With(zap.Stringer("chunk", j.chunk.Ref), zap.Int64("epoch", j.base))
	switch {
	case errors.Is(err, ledger.ErrFenced):
		log.Info("chunk was claimed by another owner; leaving it")
		return worker.Leave()
	case ctx.Err() != nil:
		return worker.Leave()
	}
	log.Warn("chunk failed; trying again", zap.Error(err))
	return worker.RetryAfter(retryPause, nil)
}

func done(v worker.Verdict) (*worker.Verdict, error) { return &v, nil }
