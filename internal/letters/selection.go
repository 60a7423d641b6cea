package letters

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// Parked restricts a filter to letters that wait, the oldest first.
func Parked(f push.LetterFilter) push.LetterFilter {
	f.States = []push.LetterState{push.LetterParked}
	f.OldestFirst = true
	return f
}

// CheckSelection returns [ErrUnbounded] for a filter that matches everything by mistake,
// and push.Faults for one that asks for letters that cannot be moved.
func CheckSelection(f *push.LetterFilter, all bool) error {
	if f.IsZero() && !all {
		return ErrUnbounded
	}
	for _, s := range f.States {
		if s != push.LetterParked {
			return push.Faults{
				{Pointer: "/filter/states", Code: push.FaultValue, Detail: fmt.Sprintf("only parked letters can be replayed or discarded (got %q)", s)},
			}
		}
	}
	return nil
}

// Count counts the parked letters that match a filter.
func (r *Room) Count(ctx context.Context, f push.LetterFilter) (int64, error) {
	groups, err := r.cfg.Letters.LetterGroups(ctx, Parked(f))
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	var n int64
	for i := range groups {
		n += groups[i].ByState[push.LetterParked]
	}
	return n, nil
}
