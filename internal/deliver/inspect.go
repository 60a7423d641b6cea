package deliver

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver/isolation"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/worker"
)

// A trial shows whether one recipient alone kills the process. A death is evidence
// against the recipient only if little else can be to blame: the process is not in its
// first seconds, in which one that does not start well is killed, and it has no other
// chunk in hand.
const (
	// trialAge is how long a process is up before a trial, and up to twice that, so
	// that no regular kill falls into it.
	trialAge = 5 * time.Second
	// quietPatience is a little more than the longest turn of another chunk. New chunks
	// wait as long at most.
	quietPatience = throttledTurn + 5*time.Second
	// quietPause is how long others are let in again, when that was not enough.
	quietPause = 15 * time.Second
	// quietTries is how often that is tried. If others never end in time, the suspect is
	// sent to all the same, and its death is no evidence.
	quietTries = 5
)

// inspecting finds out whether the owner of a claimed line is alive. A chunk whose
// owner lives is left to it. If the owner is gone, and this message was received before
// without a verdict, the owner may have died over the chunk: after too many such deaths
// the chunk waits for the process's isolation.
type inspecting struct {
	*timing

	isolation *isolation.Isolation
	started   time.Duration // about when the process started, by the monotonic clock
	log       *zap.Logger
}

// run implements stage.
func (i *inspecting) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	gone, v, err := i.ownerGone(ctx, j)
	if v != nil || err != nil {
		return v, err
	}
	if gone {
		if own, _ := j.lease.Ours(); !own && j.receives > 1 {
			j.lease.Line = j.lease.Line.Vanish()
		}
		j.lease.Line = j.lease.Line.Forsaken()
	}
	if !j.lease.Line.Suspected() || j.lease.Line.State == ledger.StateClosed || j.chunk.Turn < j.lease.Line.Turn {
		return nil, nil
	}
	if !i.isolation.Enter(ctx, j.draining) {
		return done(worker.HandBack())
	}
	j.places.isolation = i.isolation
	j.accuse()
	if v, err := i.prepareTrial(ctx, j); v != nil || err != nil {
		return v, err
	}
	same, err := j.lease.Unchanged(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the line again: %w", err)
	}
	if !same { // somebody else had it in the meantime, and may still
		return busy()
	}
	return nil, nil
}

// busy is the verdict on a chunk that another owner has in hand. That owner deletes its
// own copy of the message; this copy is looked at again later.
func busy() (*worker.Verdict, error) { return done(worker.RetryAfter(2*ledger.FreshFor, nil)) }

// ownerGone reports whether the line's owner does not work on it any more. A process
// knows its own claims. An owner elsewhere writes at least every second while it is
// alive, so a line is forsaken if its epoch stands still for FreshFor by this process's
// monotonic clock. No clock of another process takes part, with one exception: a line
// that was written a moment ago by the wall clock is left alone without the wait; if
// that is wrong, the chunk is looked at again.
//
// It waits in place, because the next copy of the message would not show how often
// this one was received.
func (i *inspecting) ownerGone(ctx context.Context, j *job) (gone bool, v *worker.Verdict, err error) {
	if j.lease.Line.State != ledger.StateClaimed || j.chunk.Turn < j.lease.Line.Turn {
		return false, nil, nil
	}
	if own, held := j.lease.Ours(); own {
		if held {
			v, err = busy()
		}
		return !held, v, err
	}
	if age := i.now().Sub(j.lease.Line.UpdatedAt); j.receives < 2 && age >= 0 && age < ledger.FreshFor {
		v, err = busy()
		return false, v, err
	}
	if v, err = sleep(ctx, j, ledger.FreshFor); v != nil {
		return false, v, err
	}
	changed, err := j.lease.Read(ctx, j.chunk.Ref)
	if err != nil {
		return false, nil, fmt.Errorf("read the line again: %w", err)
	}
	if gone = !changed; changed && j.lease.Line.State == ledger.StateClaimed {
		v, err = busy()
	}
	return gone, v, err
}

// prepareTrial waits until a death would be evidence, if the next suspect is a single
// one that a worker has died with. A verdict means that there is no time for that.
func (i *inspecting) prepareTrial(ctx context.Context, j *job) (*worker.Verdict, error) {
	if j.suspects.poison || len(group(j.suspects.rows)) != 1 || j.lease.Line.Vanished <= ledger.SuspectAfter {
		return nil, nil
	}
	if v, err := sleep(ctx, j, i.started+trialAge+i.jitter(trialAge)-i.elapsed()); v != nil {
		return v, err
	}
	for range quietTries {
		if i.isolation.Quiet(ctx, j.draining, quietPatience) {
			j.places.alone = true
			i.log.Info("workers died while they sent to this recipient; trying it alone, other chunks wait", j.about(),
				zap.Int("cell", j.chunk.Index[j.suspects.rows[0]]), zap.Int("deaths", j.lease.Line.Vanished), zap.Int("alone", j.lease.Line.Alone))
			return nil, nil
		}
		if v, err := sleep(ctx, j, quietPause); v != nil {
			return v, err
		}
	}
	return nil, nil
}
