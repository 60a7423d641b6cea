package usage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// What one question may cost beside reading documents. The walk of [Room.Run] keeps it far below
// that; only right after an upgrade, or an outage of everything that walks, is it more, and the
// answer says so.
const (
	// walks and visits bound the steps of the walk, and of summing lists anew, of a page each.
	walks  = 10
	visits = 4
	// tailPages bounds what was accepted since: pages of a thousand.
	tailPages = 10
	tailPage  = 1000
	// An answer is shared by all callers in this process for twenty times as long as it took, and
	// a minute at most.
	shareTimes = 20
	shareMost  = time.Minute
	// remembered is how many tenants' answers are kept.
	remembered = 1000
)

// apps are the sums of a day.
type apps = map[string]Sums

// recent is how a tenant's books stand, with what is not in them yet.
type recent struct {
	book book
	// Day is the day that is walked, as it was when the tail was read, and tail what stands behind its
	// place: together they are whole.
	day    apps
	closed bool
	tail   map[Day]apps

	at       time.Time // everything up to here is in it
	complete bool      // at is the time of the question
	until    time.Time // when it is derived anew
}

// recent returns a tenant's books at most a minute old.
func (r *Room) recent(ctx context.Context, tenant string) (*recent, error) {
	r.mu.Lock()
	k := r.kept[tenant]
	r.mu.Unlock()
	if k != nil && r.cfg.Now().Before(k.until) {
		return k, nil
	}
	// The derivation goes on if its caller hangs up: others wait for it.
	running := r.flights.DoChan(tenant, func() (any, error) {
		const longest = 20 * time.Second
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
		defer cancel()
		return r.derive(ctx, tenant)
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case res := <-running:
		k, _ := res.Val.(*recent)
		return k, res.Err
	}
}

func (r *Room) derive(ctx context.Context, tenant string) (*recent, error) {
	began := r.cfg.Now()
	behind, err := r.catchUp(ctx, tenant, walks, visits, func(l listed) bool { return l.At < began.Add(-shareMost).Unix() })
	if err != nil {
		return nil, err
	}
	k := &recent{tail: map[Day]apps{}, at: began}
	if k.book, err = r.book(ctx, tenant); err != nil {
		return nil, err
	}
	place := push.Notification{}
	if k.book.Day != "" {
		d, err := r.day(ctx, tenant, k.book.Day)
		if err != nil {
			return nil, err
		}
		k.day, k.closed = d.Apps, d.closed()
		if place.AcceptedAt, place.ID = d.At, d.ID; d.Walked {
			place.AcceptedAt, place.ID = k.book.Day.end(), ""
		}
	}
	if err := r.follow(ctx, tenant, k, place, behind); err != nil {
		return nil, err
	}
	ended := r.cfg.Now()
	k.until = ended.Add(min(shareTimes*ended.Sub(began), shareMost))
	r.keep(tenant, k, ended)
	return k, nil
}

// follow sums what stands behind a place. If the walk is far behind, it does not even begin.
func (r *Room) follow(ctx context.Context, tenant string, k *recent, place push.Notification, behind bool) error {
	ahead := k.at.Add(settling) // by another's clock
	for range tailPages {
		if behind {
			break
		}
		heads, err := r.cfg.Ledger.Accepted(ctx, tenant, place.AcceptedAt, place.ID, ahead, tailPage)
		if err != nil {
			return err
		}
		sums, err := r.sumAll(ctx, heads)
		if err != nil {
			return err
		}
		for i := range heads {
			at := DayOf(heads[i].AcceptedAt)
			if k.tail[at] == nil {
				k.tail[at] = apps{}
			}
			k.tail[at][sums[i].App] = k.tail[at][sums[i].App].Plus(sums[i].Sums)
		}
		if len(heads) < tailPage {
			k.complete = true
			return nil
		}
		place = heads[len(heads)-1]
	}
	k.at = place.AcceptedAt
	return nil
}

func (r *Room) keep(tenant string, k *recent, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) >= remembered {
		maps.DeleteFunc(r.kept, func(_ string, old *recent) bool { return !now.Before(old.until) })
	}
	if len(r.kept) < remembered {
		r.kept[tenant] = k
	}
}

// of returns the sums of a day, by app, and whether they never change.
func (r *Room) of(ctx context.Context, tenant string, k *recent, at Day) (apps, bool, error) {
	sums := apps{}
	final := false
	switch {
	case at == k.book.Day:
		maps.Copy(sums, k.day)
		final = k.closed
	case at < k.book.Day:
		d, err := r.day(ctx, tenant, at)
		if err != nil {
			return nil, false, err
		}
		maps.Copy(sums, d.Apps)
		final = d.closed()
	}
	for app, s := range k.tail[at] {
		sums[app] = sums[app].Plus(s)
	}
	return sums, final, nil
}

// catchUp takes up to so many steps of a tenant's walk, and sums lists that are due anew, of the oldest days
// first. It reports whether the walk is behind all the same.
func (r *Room) catchUp(ctx context.Context, tenant string, walks, visits int, due func(listed) bool) (behind bool, err error) {
	behind = true
	for ; behind && walks > 0; walks-- {
		if behind, err = r.step(ctx, tenant); err != nil {
			return behind, err
		}
	}
	b, err := r.book(ctx, tenant)
	if err != nil || b.Day == "" {
		return behind, err
	}
	for _, at := range append(slices.Clone(b.Open), b.Day) {
		for more := true; more && visits > 0; visits-- {
			if more, err = r.again(ctx, tenant, at, due); err != nil {
				return behind, err
			}
		}
	}
	return behind, r.shut(ctx, tenant, &b)
}

// shut leaves days out of a book that are closed, and removes what is left of their lists.
func (r *Room) shut(ctx context.Context, tenant string, b *book) error {
	var open []Day
	for _, at := range b.Open {
		d, err := r.day(ctx, tenant, at)
		if err != nil {
			return err
		}
		if !d.closed() {
			open = append(open, at)
			continue
		}
		if len(d.Gone) == 0 {
			continue
		}
		if err := r.tidy(ctx, tenant, at, &d); err != nil {
			return err
		}
		if err := r.saveDay(ctx, tenant, at, &d); err != nil && !errors.Is(err, push.ErrConflict) {
			return err
		}
	}
	if len(open) == len(b.Open) {
		return nil
	}
	b.Open = open
	if err := r.saveBook(ctx, tenant, b); err != nil && !errors.Is(err, push.ErrConflict) {
		return err
	}
	return nil
}
