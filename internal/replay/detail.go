package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// Detail is everything that is known about one letter, and what its replay would do.
type Detail struct {
	letters.Detail

	Prediction predict.Prediction // what a replay would come to now, for a parked letter
	Why        string             // what that rests on
	After      push.Message       // as the letter's replay edited it, nil if it didn't
}

// Detail returns one letter with what is known of it now, or push.ErrNotFound.
func (r *Room) Detail(ctx context.Context, id push.ID) (Detail, error) {
	kept, err := r.cfg.Keeper.Get(ctx, id)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Detail: kept}
	if d.State == push.LetterParked {
		verdicts, err := r.cfg.Predict.Examine(ctx, []push.Letter{d.Letter}, &predict.Edits{})
		if err != nil {
			return Detail{}, fmt.Errorf("dead letter %s: %w", id, err)
		}
		d.Prediction, d.Why = verdicts[0].Prediction, verdicts[0].Why
		return d, nil
	}
	if d.After, err = r.edited(ctx, &d.Detail); err != nil {
		return Detail{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	return d, nil
}

// edited returns the message as the replay that claimed the letter last edited it, nil if
// it made no edits. A message never changes, so the patch is enough to know.
func (r *Room) edited(ctx context.Context, d *letters.Detail) (push.Message, error) {
	if d.Replay == "" || d.Before == nil {
		return nil, nil
	}
	run, err := r.run(ctx, d.Replay)
	if errors.Is(err, push.ErrNotFound) {
		return nil, nil
	}
	if err != nil || len(run.Edits.Patch) == 0 {
		return nil, err
	}
	p, err := predict.ParsePatch(run.Edits.Patch)
	if err != nil {
		return nil, fmt.Errorf("patch of %s: %w", run.ID, err)
	}
	after, err := p.Apply(d.Before)
	if err != nil { // then it was not sent with it either
		return nil, nil //nolint:nilerr // see above
	}
	return after, nil
}
