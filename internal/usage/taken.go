package usage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Taken reports which of some notifications may be removed: those whose last sums are in the books. Whoever
// removes asks between listing them and removing them, and removes only what nobody has changed
// meanwhile, so the sums are those of the moment of removal. A crash in between does no harm:
// the next removal asks again.
//
// It walks past them, and sums anew what may have changed since. With a walk that is far
// behind it reports false, and gets nearer with each call.
func (r *Room) Taken(ctx context.Context, ns []ledger.Aged) ([]bool, error) {
	taken := make([]bool, len(ns))
	type place struct {
		tenant string
		at     Day
	}
	groups := map[place][]int{}
	for i := range ns {
		at := place{ns[i].Tenant, DayOf(ns[i].AcceptedAt)}
		groups[at] = append(groups[at], i)
	}
	for at, some := range groups {
		if err := r.takenOf(ctx, at.tenant, at.at, ns, some, taken); err != nil {
			return nil, fmt.Errorf("usage of %s: %w", at.tenant, err)
		}
	}
	return taken, nil
}

func (r *Room) takenOf(ctx context.Context, tenant string, at Day, ns []ledger.Aged, some []int, taken []bool) error {
	behind := func(d *day) bool {
		for _, i := range some {
			if !d.beyond(ns[i].AcceptedAt, ns[i].ID) {
				return true
			}
		}
		return false
	}
	d, err := r.day(ctx, tenant, at)
	const steps = 20
	for n := 0; err == nil && behind(&d) && n < steps; n++ {
		more, failed := r.step(ctx, tenant)
		if failed != nil {
			return failed
		}
		if d, err = r.day(ctx, tenant, at); !more {
			break
		}
	}
	if err != nil {
		return err
	}
	left := make(map[push.ID]bool, len(some))
	for _, i := range some {
		if taken[i] = d.beyond(ns[i].AcceptedAt, ns[i].ID); taken[i] {
			left[ns[i].ID] = true
		}
	}
	whole, err := r.lookAgain(ctx, tenant, at, left)
	for _, i := range some {
		taken[i] = taken[i] && whole
	}
	return err
}

// lookAgain sums the lists of a day anew that name one of some notifications, one after the other. It reports
// false if another process was faster, so that it is not known what was summed when.
func (r *Room) lookAgain(ctx context.Context, tenant string, at Day, left map[push.ID]bool) (whole bool, err error) {
	d, err := r.day(ctx, tenant, at)
	if err != nil {
		return false, err
	}
	for _, l := range d.Lists { // those that this adds are behind the last of these
		some, err := r.list(ctx, tenant, at, l.Number)
		if err == nil && slices.ContainsFunc(some, func(e entry) bool { return left[e.ID] }) {
			if err = r.replace(ctx, tenant, at, &d, []listed{l}, some); err == nil {
				d, err = r.day(ctx, tenant, at)
			}
		}
		if errors.Is(err, push.ErrNotFound) || errors.Is(err, push.ErrConflict) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
