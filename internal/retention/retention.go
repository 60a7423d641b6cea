// Package retention gives back what nobody needs any more: each kind of record is kept for
// a stated time and then removed, in small steps that give way to whatever else is written.
//
// A kind is a [Sweep]. Some are removals that the owner of the records offers, such as
// idempotency keys and replays; notifications and upload pages are this package's own
// ([Notifications], [Pages]), because what decides about them is spread over several stores.
// A store that forgets by itself, as DynamoDB and S3 do, needs no sweep but for what tenants have
// kept for a shorter time than its own.
//
// Any number of processes may sweep at once, and one may be killed at any point: every
// step is a transaction of its own, after which the next one, of whatever process, goes on.
package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// Sweep removes one kind of record.
type Sweep struct {
	What string // the kind: a label of the metrics
	// Step does a bounded piece of work in one short transaction per store. It returns how
	// many records it removed, and whether there is more to do in this pass.
	Step func(ctx context.Context, now time.Time) (removed int, more bool, err error)
}

// Every makes a Sweep of a removal that takes the oldest first: it is repeated until it removes
// less than it might.
func Every(what string, most int, remove func(ctx context.Context, now time.Time, most int) (int, error)) Sweep {
	return Sweep{What: what, Step: func(ctx context.Context, now time.Time) (int, bool, error) {
		n, err := remove(ctx, now, most)
		return n, err == nil && n >= most, err
	}}
}

// While makes a Sweep that does nothing while a condition does not hold.
func While(holds func(ctx context.Context) (bool, error), s Sweep) Sweep {
	return Sweep{What: s.What, Step: func(ctx context.Context, now time.Time) (int, bool, error) {
		if ok, err := holds(ctx); err != nil || !ok {
			return 0, false, err
		}
		return s.Step(ctx, now)
	}}
}

// Seldom makes a Sweep that goes over everything at most once in so long, where a pass costs
// something although there is nothing to remove.
func Seldom(every time.Duration, s Sweep) Sweep {
	var next time.Time
	walking := false
	return Sweep{What: s.What, Step: func(ctx context.Context, now time.Time) (int, bool, error) {
		if !walking && now.Before(next) {
			return 0, false, nil
		}
		n, more, err := s.Step(ctx, now)
		if walking = err == nil && more; err == nil && !more {
			next = now.Add(every)
		}
		return n, more, err
	}}
}

// Config is what the room is built from.
type Config struct {
	Sweeps  []Sweep
	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
	// Elapsed is a monotonic clock. A wall clock that runs away from it was set.
	Elapsed func() time.Duration
}

// Room is the room. A Room makes one pass at a time.
type Room struct {
	cfg Config

	wall    time.Time // the two clocks when they were last compared
	elapsed time.Duration
	until   time.Duration // by elapsed, when a clock that was set is believed
}

const (
	// every is how often a pass begins.
	every = 10 * time.Minute
	// idle is how much longer than a step the pause after it is: removal takes a fifth of
	// a writer at most.
	idle = 4
	// jump is by how much a clock may be set without a doubt about it, and believed is
	// how long a new time has to last to be believed: a wrong clock must not remove what
	// has weeks to live. A machine that sleeps over a week waits for a day as well.
	jump     = 7 * 24 * time.Hour
	believed = 24 * time.Hour
)

// New returns the room.
func New(cfg Config) *Room {
	cfg.Metrics.begin(cfg.Sweeps)
	return &Room{cfg: cfg, wall: cfg.Now(), elapsed: cfg.Elapsed()}
}

// Run makes a pass now and every ten minutes until ctx ends.
func (r *Room) Run(ctx context.Context) {
	var ailing telemetry.Ailing
	for {
		err := r.Pass(ctx)
		if ctx.Err() != nil {
			return
		}
		ailing.Note(r.cfg.Log, "removing what is past its retention", err)
		if !worker.Wait(ctx, every) {
			return
		}
	}
}

// Pass goes once over every kind. A kind that fails does not keep the others from theirs.
func (r *Room) Pass(ctx context.Context) error {
	if !r.clockHolds() {
		return nil
	}
	var errs []error
	for _, s := range r.cfg.Sweeps {
		if err := r.sweep(ctx, s); err != nil {
			r.cfg.Metrics.failed(s.What)
			errs = append(errs, fmt.Errorf("remove old records of %s: %w", s.What, err))
		}
		if ctx.Err() != nil {
			return errors.Join(errs...)
		}
	}
	if len(errs) == 0 {
		r.cfg.Metrics.passed(r.cfg.Now())
	}
	return errors.Join(errs...)
}

// sweep takes steps until there is nothing left to do. After a step that removed something it
// leaves the store to others for four times as long.
func (r *Room) sweep(ctx context.Context, s Sweep) error {
	now := r.cfg.Now()
	for {
		began := r.cfg.Elapsed()
		n, more, err := s.Step(ctx, now)
		r.cfg.Metrics.removed(s.What, n)
		if err != nil || !more {
			return err
		}
		if took := r.cfg.Elapsed() - began; took > 0 && !worker.Wait(ctx, idle*took) {
			return ctx.Err()
		}
	}
}

// clockHolds reports whether the wall clock says what it said before.
func (r *Room) clockHolds() bool {
	wall, elapsed := r.cfg.Now(), r.cfg.Elapsed()
	drift := wall.Sub(r.wall) - (elapsed - r.elapsed)
	r.wall, r.elapsed = wall, elapsed
	if drift > jump {
		r.until = elapsed + believed
		r.cfg.Log.Warn("the clock was set ahead; nothing is removed for a day", zap.Duration("step", drift))
	}
	return elapsed >= r.until
}
