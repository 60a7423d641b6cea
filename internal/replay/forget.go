package replay

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Forget removes the records of replays that ended before the given time and of which the
// store has no letter any more, their simulations, and signs of life that a crash left. It
// returns how many.
// It costs a read of every replay's record, and one more of each that is old enough.
func (r *Room) Forget(ctx context.Context, before time.Time) (int, error) {
	runs, err := document.Forget(ctx, r.cfg.Documents, kindRun, before, func(ctx context.Context, d *document.Document) (bool, error) {
		run, err := r.run(ctx, push.ID(d.Name))
		if err != nil || !run.State.Final() || run.version != d.Version {
			return false, err
		}
		t, err := r.cfg.Letters.LetterTally(ctx, run.ID)
		n := t.Replaying + t.Returned
		for _, of := range t.ByOutcome {
			n += of
		}
		return n == 0, err
	})
	if err != nil {
		return runs, err
	}
	pulses, err := document.Forget(ctx, r.cfg.Documents, kindPulse, before, func(ctx context.Context, d *document.Document) (bool, error) {
		run, err := r.run(ctx, push.ID(d.Name))
		if errors.Is(err, push.ErrNotFound) {
			return true, nil
		}
		return run.State.Final(), err
	})
	if err != nil {
		return runs + pulses, err
	}
	simulations, err := r.cfg.Predict.Forget(ctx, before)
	return runs + pulses + simulations, err
}
