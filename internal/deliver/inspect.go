package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/worker"
)

// inspect finds out about a line that is held whether its owner is alive. If it
// is, the chunk is left to it. If not, and this message was received before and
// got no verdict, the owner may have died over it: after too many such deaths the
// chunk waits for the process's isolation.
func (d *Deliver) inspect(ctx context.Context, j *job) (*worker.Verdict, error) {
	gone, v, err := d.ownerGone(ctx, j)
	if v != nil || err != nil {
		return v, err
	}
	if gone {
		if own, _ := d.claims.knows(d.Owner, j.line.Owner); !own && j.receives > 1 {
			j.line = j.line.Vanish()
		}
		j.line = j.line.Forsaken()
	}
	if !j.line.Suspected() || j.line.State == ledger.StateClosed || j.chunk.Turn < j.line.Turn {
		return nil, nil
	}
	if !d.Isolation.enter(ctx, j.draining) {
		return done(worker.HandBack())
	}
	j.isolated = true
	line, err := d.Lines.Line(ctx, j.chunk.Ref)
	if err != nil {
		return nil, fmt.Errorf("read the line again: %w", err)
	}
	if line.Epoch != j.base { // somebody else had it in the meantime, and may still
		return busy()
	}
	j.accuse(gone)
	return nil, nil
}

// busy is the verdict on a chunk that somebody else has in hand: its owner
// deletes its own copy of the message, this one looks again later.
func busy() (*worker.Verdict, error) { return done(worker.RetryAfter(2*ledger.FreshFor, nil)) }

// ownerGone tells whether the line is held by an owner that does not work on it
// any more. Of its own claims a process knows; an owner elsewhere that is alive
// writes at least every second, so a line whose epoch stands still for FreshFor,
// by this process's monotonic clock, is forsaken. No clock of another process
// takes part, except that a line which was written a moment ago by the wall clock
// too is left alone without the wait: if that is wrong, it is looked at again.
//
// It waits in place, because the next copy of the message would not tell how
// often this one was received.
func (d *Deliver) ownerGone(ctx context.Context, j *job) (gone bool, v *worker.Verdict, err error) {
	if j.line.State != ledger.StateClaimed || j.chunk.Turn < j.line.Turn {
		return false, nil, nil
	}
	if own, held := d.claims.knows(d.Owner, j.line.Owner); own {
		if held {
			v, err = busy()
		}
		return !held, v, err
	}
	if age := d.Now().Sub(j.line.UpdatedAt); j.receives < 2 && age >= 0 && age < ledger.FreshFor {
		v, err = busy()
		return false, v, err
	}
	if v, err = d.sleep(ctx, j, ledger.FreshFor); v != nil {
		return false, v, err
	}
	line, err := d.Lines.Line(ctx, j.chunk.Ref)
	if err != nil {
		return false, nil, fmt.Errorf("read the line again: %w", err)
	}
	gone = line.Epoch == j.base
	j.line, j.base = line, line.Epoch
	if !gone && line.State == ledger.StateClaimed {
		v, err = busy()
	}
	return gone, v, err
}

// sleep waits with the message in hand. A verdict means that there is no time
// for that.
func (d *Deliver) sleep(ctx context.Context, j *job, wait time.Duration) (*worker.Verdict, error) {
	if wait <= 0 {
		return nil, nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil, nil
	case <-ctx.Done():
		return done(worker.Leave())
	case <-j.draining:
		return done(worker.HandBack())
	}
}
