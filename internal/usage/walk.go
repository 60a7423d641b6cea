package usage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/push"
)

// step walks on by up to a page of notifications of a tenant, or to its next day. It reports whether
// there may be more. Another process that is faster is no error: there is more then.
func (r *Room) step(ctx context.Context, tenant string) (more bool, err error) {
	more, err = r.walk(ctx, tenant)
	if errors.Is(err, push.ErrConflict) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("usage of %s: %w", tenant, err)
	}
	return more, nil
}

func (r *Room) walk(ctx context.Context, tenant string) (more bool, err error) {
	horizon := r.cfg.Now().Add(-settling)
	b, err := r.book(ctx, tenant)
	if err != nil {
		return false, err
	}
	if b.Day == "" {
		return r.turn(ctx, tenant, &b, time.Time{}, horizon)
	}
	d, err := r.day(ctx, tenant, b.Day)
	if err != nil {
		return false, err
	}
	if d.Walked {
		if (!d.closed() || len(d.Gone) > 0) && !slices.Contains(b.Open, b.Day) {
			b.Open = append(b.Open, b.Day)
		}
		return r.turn(ctx, tenant, &b, b.Day.end(), horizon)
	}
	return r.take(ctx, tenant, b.Day, &d, horizon)
}

// turn goes to the next day that has notifications, from a time on. The days before are walked: a book
// that says so too late is only slower.
func (r *Room) turn(ctx context.Context, tenant string, b *book, from, horizon time.Time) (more bool, err error) {
	next, err := r.cfg.Ledger.Accepted(ctx, tenant, from, "", horizon, 1)
	if err != nil || len(next) == 0 {
		return false, err
	}
	b.Day = DayOf(next[0].AcceptedAt)
	if b.First == "" {
		b.First = b.Day
	}
	return true, r.saveBook(ctx, tenant, b)
}

// take sums the next notifications of a day, and writes them into it.
func (r *Room) take(ctx context.Context, tenant string, at Day, d *day, horizon time.Time) (more bool, err error) {
	if len(d.Lists) >= most {
		return false, nil
	}
	end, whole := horizon, false
	if !at.end().After(horizon) {
		end, whole = at.end(), true
	}
	heads, err := r.cfg.Ledger.Accepted(ctx, tenant, d.At, d.ID, end, page)
	if err != nil || len(heads) == 0 && !whole {
		return false, err
	}
	sums, err := r.sumAll(ctx, heads)
	if err != nil {
		return false, err
	}
	if err := r.tidy(ctx, tenant, at, d); err != nil {
		return false, err
	}
	var open []entry
	for i := range sums {
		d.add(sums[i].App, sums[i].Sums)
		if !sums[i].settled {
			open = append(open, sums[i].entry)
		}
	}
	if n := len(heads); n > 0 {
		d.At, d.ID = heads[n-1].AcceptedAt, heads[n-1].ID
	}
	d.Walked = whole && len(heads) < page
	if err := r.saveList(ctx, tenant, at, d, open); err != nil {
		return false, err
	}
	if err := r.saveDay(ctx, tenant, at, d); err != nil {
		return false, err
	}
	r.cfg.Metrics.walked(len(heads))
	return d.Walked || len(heads) == page, nil
}

// summed is what a notification used, and whether that can change.
type summed struct {
	entry

	settled bool
}

// sumAll sums notifications whose heads were read a moment ago.
func (r *Room) sumAll(ctx context.Context, heads []push.Notification) ([]summed, error) {
	out := make([]summed, len(heads))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for i := range heads {
		g.Go(func() (err error) {
			out[i], err = r.sum(ctx, &heads[i])
			return err
		})
	}
	return out, g.Wait()
}

// sum reads the lines after the head: a head that is final says that they do not change.
func (r *Room) sum(ctx context.Context, n *push.Notification) (summed, error) {
	c, err := r.cfg.Ledger.Counts(ctx, n.ID)
	if err != nil {
		return summed{}, fmt.Errorf("count outcomes of %s: %w", n.ID, err)
	}
	s := summed{entry: entry{ID: n.ID, App: n.AppName(), Revision: n.Progress.Version + c.Revision(), Sums: sumsOf(n, &c, r.cfg.Cost)}}
	s.settled = settled(n, &c, &s.Sums)
	return s, nil
}
