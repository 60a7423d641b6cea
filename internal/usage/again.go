package usage

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/push"
)

// again sums lists of a day anew that are due, those looked at least recently first, up to one page of
// notifications. It reports whether there may be more. Another process that is faster is
// no error.
func (r *Room) again(ctx context.Context, tenant string, at Day, due func(l listed) bool) (more bool, err error) {
	d, err := r.day(ctx, tenant, at)
	if err != nil {
		return false, err
	}
	var taken []listed
	var entries []entry
	for _, l := range d.Lists {
		if !due(l) {
			break
		}
		some, err := r.list(ctx, tenant, at, l.Number)
		if errors.Is(err, push.ErrNotFound) {
			return true, nil // somebody has summed it since
		}
		if err != nil {
			return false, err
		}
		if len(entries)+len(some) > page {
			more = true
			break
		}
		taken, entries = append(taken, l), append(entries, some...)
	}
	if len(taken) == 0 {
		return false, nil
	}
	if err := r.replace(ctx, tenant, at, &d, taken, entries); err != nil && !errors.Is(err, push.ErrConflict) {
		return false, err
	}
	return more, nil
}

// replace sums what is on lists of a day anew, and writes a day that names a list of what may still change
// instead of them.
func (r *Room) replace(ctx context.Context, tenant string, at Day, d *day, taken []listed, entries []entry) error {
	now, err := r.sumAgain(ctx, entries)
	if err != nil {
		return err
	}
	if err := r.tidy(ctx, tenant, at, d); err != nil {
		return err
	}
	var open []entry
	for i := range now {
		d.add(now[i].App, now[i].Sums.Minus(entries[i].Sums))
		if !now[i].settled {
			open = append(open, now[i].entry)
		}
	}
	d.Lists = slices.DeleteFunc(slices.Clone(d.Lists), func(l listed) bool { return slices.Contains(taken, l) })
	for _, l := range taken {
		d.Gone = append(d.Gone, l.Number)
	}
	if err := r.saveList(ctx, tenant, at, d, open); err != nil {
		return err
	}
	return r.saveDay(ctx, tenant, at, d)
}

// sumAgain sums what is on a list. What is gone, or going, keeps the sums that it has: a ledger that forgets
// may lose lines before heads, and counts that were complete have a lower revision then.
func (r *Room) sumAgain(ctx context.Context, entries []entry) ([]summed, error) {
	out := make([]summed, len(entries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for i := range entries {
		g.Go(func() error {
			was := entries[i]
			n, err := r.cfg.Ledger.Notification(ctx, was.ID)
			if errors.Is(err, push.ErrNotFound) {
				out[i] = summed{was, true}
				return nil
			}
			if err != nil {
				return err
			}
			now, err := r.sum(ctx, &n)
			if err != nil {
				return err
			}
			if now.Revision < was.Revision {
				now = summed{was, false}
			}
			out[i] = now
			return nil
		})
	}
	return out, g.Wait()
}
