// Package deliver sends chunks to FCM. One chunk passes a chain of stages, in
// this order, each a file and a type:
//
//	load    read the chunk's notification and ledger line
//	inspect find out whether its owner lives, or workers die over it (docs/adr/0004)
//	pause   wait, or stay on the queue, while it is paused by an operator: everything, its tenant, app, lane or label
//	connect find the credential of the chunk's app; without one, stay on the queue (channel.go)
//	hold    wait, or stay on the queue, while FCM is held off
//	join    wait while another chunk is alone in the process
//	claim   take the line; nobody else may write it from now on (package lease)
//	sift    give up what is expired, cancelled, erased or already may have been delivered
//	render  encode the message once, personal ones per recipient
//	isolate send to suspects in ever smaller groups, if workers died over it
//	send    open recipients through breaker and pacing in a bounded window (requests.go,
//	        window.go), with outcomes checkpointed every 50 results or 100 ms
//	settle  decide how the turn ends (decide.go): close the line, or hand the rest back
//
// A crash anywhere leaves the queue message, which comes again, and a line that
// shows what is decided and which recipients may have been sent to.
//
// What can be told without the job that the stages pass on has a package of its own:
// the hold on a line (lease), the brake for what is refused for everybody (brake), the
// place for suspects (isolation), the throttle and the measured pace (pace).
//
// The room has more than 2,500 lines, because what is left is one thing: eleven stages
// that fill in one job, and the window that sends it. A stage in a package of its own
// would need the job and its results exported, some forty names that nobody outside
// the chain may touch: the compiler could no longer say that nobody does.
package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/deliver/isolation"
	"github.com/belfry-push/belfry/internal/deliver/lease"
	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/trace"
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
type Lines = lease.Lines

// Outcomes is told what became of a chunk, after it is durable.
type Outcomes interface {
	Settled(ctx context.Context, n *push.Notification, line *ledger.Line, notes []push.DeviceNote)
	Completed(ctx context.Context, n push.Notification, c ledger.Counts)
	Held(ctx context.Context, n push.Notification, part push.Part, h push.Hold)
}

// Erasures knows whom nothing is sent to any more, because they were erased. Safe for
// concurrent use.
type Erasures interface {
	// Current makes sure that what Erased goes by is a few seconds old at most.
	Current(ctx context.Context) error
	// Erased reports whether a recipient of a notification that was accepted at that time is
	// not sent to. It asks nobody, and costs next to nothing while none of the tenant's users
	// is erased.
	Erased(tenant string, r *push.Recipient, accepted time.Time) bool
}

// Config is what the room is built from.
type Config struct {
	Owner         string // names this process and lane in ledger lines, with a number for each claim; unique per start
	Notifications Notifications
	Lines         Lines
	Channels      Channels     // nil: Sender and Guard are everybody's
	Sender        Sender       // see Channels
	Guard         *guard.Guard // see Channels
	Encoder       Encoder
	Erasures      Erasures             // nil: nobody is erased
	Pauses        Pauses               // nil: nothing is ever paused
	Terms         Terms                // nil: what is below holds for everybody
	Isolation     *isolation.Isolation // shared by the lanes of a process; nil: the room makes its own
	Outcomes      Outcomes
	Chunks        map[push.Lane]worker.Sink // the delivery queues, for what is handed back
	Dead          worker.Sink               // dead letters of recipients
	Lane          push.Lane                 // of this instance
	Window        int                       // requests of one chunk under way at once, 1..500
	Retries       int                       // chunks of nothing but retries in hand at once; 0: any number
	MaxAttempts   int                       // per recipient, from 1; see Terms
	Brake         int                       // recipients refused alike before the others are held; 0: nobody is held
	Backoff       guard.Backoff             // the waits between tries; the zero value is FCM's rules
	MaxElapsed    time.Duration             // from a recipient's first attempt; FCM: give up by 60 min
	Software      string                    // version, written into dead letters
	Log           *zap.Logger
	Metrics       *Metrics
	Now           func() time.Time     // the wall clock: deadlines, and what is stored
	Elapsed       func() time.Duration // a monotonic clock: everything that lasts; nil for this process's
	Rand          *rand.Rand           // jitter; guarded by the room
	Tracer        *trace.Tracer        // nil: nobody sees spans
}

// Deliver handles chunks of one lane's queue. Safe for concurrent use.
type Deliver struct {
	heads  *heads
	leases *lease.Leases
	stages []stage
	spans  spans
	log    *zap.Logger
}

// New returns the room.
func New(cfg Config) (*Deliver, error) {
	if cfg.Elapsed == nil {
		cfg.Elapsed = clock.Start()
	}
	if cfg.Channels == nil {
		cfg.Channels = single{Sender: cfg.Sender, Guard: cfg.Guard}
	}
	if cfg.Pauses == nil {
		cfg.Pauses = unpaused{}
	}
	if cfg.Terms == nil {
		cfg.Terms = noTerms{}
	}
	if cfg.Isolation == nil {
		cfg.Isolation = isolation.New()
	}
	if cfg.Erasures == nil {
		cfg.Erasures = nobodyErased{}
	}
	t := &timing{now: cfg.Now, elapsed: cfg.Elapsed, waits: cfg.Backoff, rand: cfg.Rand}
	heads, err := newHeads(cfg.Notifications, cfg.Terms, cfg.Encoder, t.moment)
	if err != nil {
		return nil, err
	}
	p := pace.New(checkpointEvery, checkpointResults)
	leases := &lease.Leases{
		Process: cfg.Owner, Lines: cfg.Lines, Moment: t.moment, Jitter: t.jitter, Wrote: cfg.Metrics.wrote(p.Wrote),
		Failed: cfg.Metrics.unsaved, Log: cfg.Log,
	}
	return &Deliver{heads: heads, leases: leases, stages: chain(&cfg, t, heads, p), spans: newSpans(&cfg), log: cfg.Log}, nil
}

// stage does its part of a job; it is built with what it needs for that. A non-nil
// verdict ends the chain.
type stage interface {
	run(ctx context.Context, j *job) (*worker.Verdict, error)
}

// chain returns the stages in the order in which a chunk passes them.
func chain(cfg *Config, t *timing, heads *heads, p *pace.Pace) []stage {
	b := brakes{brake: cfg.Brake, notifications: cfg.Notifications, heads: heads, outcomes: cfg.Outcomes, metrics: cfg.Metrics, log: cfg.Log}
	q := &requests{
		timing: t, brakes: b, heads: heads, pauses: cfg.Pauses, pace: p, erasures: cfg.Erasures, lane: cfg.Lane, window: cfg.Window,
		maxAttempts: cfg.MaxAttempts, maxElapsed: cfg.MaxElapsed, log: cfg.Log, metrics: cfg.Metrics,
	}
	c := &completion{timing: t, notifications: cfg.Notifications, outcomes: cfg.Outcomes}
	u := &deadLetters{queue: cfg.Dead, lane: cfg.Lane, maxAttempts: cfg.MaxAttempts, software: cfg.Software, log: cfg.Log}
	return []stage{
		&loading{timing: t, heads: heads, brake: cfg.Brake},
		&inspecting{timing: t, isolation: cfg.Isolation, started: t.elapsed(), log: cfg.Log},
		&pausing{timing: t, heads: heads, lane: cfg.Lane, pauses: cfg.Pauses},
		&connecting{timing: t, channels: cfg.Channels},
		&holding{timing: t, heads: heads, lane: cfg.Lane, retries: cfg.Retries},
		&joining{isolation: cfg.Isolation},
		&claiming{pace: p, window: cfg.Window, metrics: cfg.Metrics, completion: c},
		&sifting{timing: t, erasures: cfg.Erasures, maxAttempts: cfg.MaxAttempts, metrics: cfg.Metrics},
		&rendering{timing: t, encoder: cfg.Encoder, metrics: cfg.Metrics},
		&isolating{requests: q, log: cfg.Log},
		&sending{requests: q},
		&settling{
			timing: t, brakes: &b, heads: heads, outcomes: cfg.Outcomes, completion: c, deadLetters: u,
			queue: cfg.Chunks[cfg.Lane], maxAttempts: cfg.MaxAttempts, metrics: cfg.Metrics,
		},
	}
}

// Close ends what runs in the background: the upkeep of the cache. The room is
// not used after that.
func (d *Deliver) Close() { d.heads.cache.StopAllGoroutines() }

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
	j := &job{
		chunk: chunk, traceParent: traceParent, receives: msg.Receives, queuedAt: msg.SentAt, takenAt: d.leases.Moment().Wall,
		draining: draining,
	}
	d.spans.begin(j, &msg)
	j.lease = d.leases.New(j.about)
	defer j.end()
	v := d.turn(ctx, j)
	d.spans.end(j, v)
	return v
}

// turn passes a chunk through the stages.
func (d *Deliver) turn(ctx context.Context, j *job) worker.Verdict {
	for _, s := range d.stages {
		v, err := s.run(ctx, j)
		switch {
		case err != nil:
			return d.failed(ctx, j, err)
		case v != nil:
			return *v
		}
	}
	return worker.Ack()
}

// failed turns a stage's error into a verdict: a chunk whose claim is lost is left to
// its new owner, and a store that is away is waited for.
func (d *Deliver) failed(ctx context.Context, j *job, err error) worker.Verdict {
	log := d.log.With(j.about(), zap.Int64("epoch", j.lease.Epoch()))
	switch {
	case errors.Is(err, ledger.ErrFenced):
		j.span.Mark("fenced")
		log.Info("chunk was claimed by another owner; leaving it")
		return worker.Leave()
	case ctx.Err() != nil:
		return worker.Leave()
	}
	j.span.Fail("store")
	log.Warn("chunk failed; trying again", zap.Error(err))
	return worker.RetryAfter(retryPause, nil)
}

func done(v worker.Verdict) (*worker.Verdict, error) { return &v, nil }
