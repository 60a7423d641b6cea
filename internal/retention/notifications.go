package retention

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Ledger is the part of the notification ledger that removes. A notification leaves it in
// two steps: it is retired, and so absent for every reader at once, and later erased, which
// takes several transactions if it is large.
type Ledger interface {
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	// Keeps lists the numbers of days (push.Progress.KeepDays) of which there may be
	// notifications, 0 for those without a bound of their own.
	Keeps(ctx context.Context) ([]int, error)
	// Aged lists up to limit notifications that are kept for so many days and not retired
	// behind a place, "" for the beginning, in the order in which they were accepted. It may
	// leave out those of which something is still to happen.
	Aged(ctx context.Context, days int, after string, limit int) ([]ledger.Aged, error)
	// Retire makes notifications absent as of the given time, each on condition that
	// nothing has changed it since it was listed, and tells which it did.
	Retire(ctx context.Context, ns []ledger.Aged, at time.Time) ([]bool, error)
	// Retired lists up to limit notifications that were retired before the given time,
	// and are not erased.
	Retired(ctx context.Context, before time.Time, limit int) ([]push.ID, error)
	// Erase removes what the ledger has of retired notifications, up to so many rows. It
	// takes one after the other, and returns how many are gone for good.
	Erase(ctx context.Context, ids []push.ID, most int) (int, error)
}

// PageRemover is the part of the page store that removes what belongs to a notification.
type PageRemover interface {
	// RemovePages removes up to limit pages of a notification, and returns how many; 0 if there
	// are none left.
	RemovePages(ctx context.Context, id push.ID, limit int) (int, error)
}

// PageStore is a page store that knows how old its pages are.
type PageStore interface {
	PageRemover
	// PageOwners lists, behind a place, up to limit pages in the order in which they were
	// stored, by their notifications; next is the place of the last, 0 if there was none.
	PageOwners(ctx context.Context, after int64, limit int) (owners []push.ID, next int64, err error)
}

// Usage keeps what notifications used, so that it outlives them.
type Usage interface {
	// Taken reports which of some notifications may be removed: those whose last sums are kept.
	// Nothing may have changed them since it was asked when they are.
	Taken(ctx context.Context, ns []ledger.Aged) ([]bool, error)
}

const (
	// listed is how many notifications are looked at, and retired, at once, and
	// together how many are erased.
	listed   = 200
	together = 32
	// rows is how many rows of the ledger one transaction removes, and pagesAtOnce how many
	// pages of up to 4 MiB: some milliseconds each.
	rows        = 128
	pagesAtOnce = 1
	// settle is how long a notification is retired before it is erased: who read it before
	// has finished with it by then.
	settle = time.Minute
	// skew is how far ahead a time may be of now.
	skew = 5 * time.Minute
)

// Notifications removes notifications with everything that belongs to them, in the ledger and
// in the page store, when nothing has happened to them for as many days as were settled at
// their acceptance, and for no longer than Keep. One of which something is still to happen is
// kept, and so is one that a dead letter, in the store or on its way there, is about.
//
// A pass walks those that are kept as long together. Of them it reads what is older than that,
// in the order of acceptance, and no more: O(removed + kept all the same + numbers of days). A
// notification of n chunks is erased in O(n), by rows of its own index ranges.
type Notifications struct {
	Ledger  Ledger
	Pages   PageRemover
	Letters *Letters
	Usage   Usage // nil: nobody wants to know
	// Keep bounds every notification's time, and is that of those without a bound of their own: longer than the
	// promise of idempotency keys, as every bound is. 0: there is none.
	Keep    time.Duration
	Metrics *Metrics

	walking bool
	days    []int  // to be walked in this pass, the first one now
	place   string // in that
	kept    map[string]int
}

// Sweep returns the Sweep.
func (s *Notifications) Sweep() Sweep { return Sweep{What: "notification", Step: s.step} }

func (s *Notifications) step(ctx context.Context, now time.Time) (int, bool, error) {
	ids, err := s.Ledger.Retired(ctx, now.Add(-settle), together)
	if err != nil {
		return 0, false, err
	}
	if len(ids) > 0 {
		n, err := s.erase(ctx, ids)
		return n, true, err
	}
	more, err := s.retire(ctx, now)
	s.walking = err == nil && more
	return 0, more, err
}

// erase removes some of what retired notifications have: first pages, and the head last, by
// which whoever comes after a crash finds the rest.
func (s *Notifications) erase(ctx context.Context, ids []push.ID) (int, error) {
	for _, id := range ids {
		n, err := s.Pages.RemovePages(ctx, id, pagesAtOnce)
		if err != nil || n > 0 {
			s.Metrics.removed(whatPage, n)
			return 0, err
		}
	}
	return s.Ledger.Erase(ctx, ids, rows)
}

// retire looks at the next notifications, and reports whether there are more to look at.
func (s *Notifications) retire(ctx context.Context, now time.Time) (more bool, err error) {
	if !s.walking {
		s.kept, s.place = map[string]int{}, ""
		s.Letters.forget()
		if s.days, err = s.Ledger.Keeps(ctx); err != nil {
			return false, err
		}
	}
	for len(s.days) > 0 {
		keep := ledger.KeepFor(s.days[0], s.Keep)
		if keep > 0 {
			if more, err = s.walk(ctx, s.days[0], now.Add(-keep), now); err != nil || more {
				return more, err
			}
		}
		s.days, s.place = s.days[1:], ""
	}
	s.Metrics.kept(s.kept)
	return false, nil
}

// walk looks at the next notifications that are kept for so many days, and reports whether there are more of
// them to look at.
func (s *Notifications) walk(ctx context.Context, days int, cutoff, now time.Time) (more bool, err error) {
	aged, err := s.Ledger.Aged(ctx, days, s.place, listed)
	if err != nil || len(aged) == 0 {
		return false, err
	}
	var old []ledger.Aged
	for i := range aged {
		a := &aged[i]
		more = more || !young(a.AcceptedAt, cutoff, now)
		switch {
		case !a.LastChange().Before(cutoff):
		case !a.Rests():
			s.kept[keptUnfinished]++
		default:
			old = append(old, *a)
		}
	}
	free, err := s.free(ctx, old, now)
	if err != nil {
		return false, err
	}
	if free, err = s.taken(ctx, free); err != nil {
		return false, err
	}
	if len(free) > 0 {
		if _, err := s.Ledger.Retire(ctx, free, now); err != nil {
			return false, err
		}
	}
	s.place = aged[len(aged)-1].Place
	return more && len(aged) == listed, nil
}

// taken leaves out what usage has not taken in. It is asked last, and Retire leaves alone what has changed
// since it was listed: so the sums are those of the moment of removal.
func (s *Notifications) taken(ctx context.Context, free []ledger.Aged) ([]ledger.Aged, error) {
	if s.Usage == nil || len(free) == 0 {
		return free, nil
	}
	ok, err := s.Usage.Taken(ctx, free)
	if err != nil {
		return nil, err
	}
	var taken []ledger.Aged
	for i := range free {
		if ok[i] {
			taken = append(taken, free[i])
		} else {
			s.kept[keptUsage]++
		}
	}
	return taken, nil
}

// young reports whether something was stored within its retention: what was stored
// behind it is younger still. A time that is far ahead is of a wrong clock, and says nothing.
func young(at, cutoff, now time.Time) bool { return !at.Before(cutoff) && at.Before(now.Add(skew)) }

// free leaves out what dead letters are about.
func (s *Notifications) free(ctx context.Context, old []ledger.Aged, now time.Time) ([]ledger.Aged, error) {
	var free []ledger.Aged
	for i := range old {
		why, err := s.Letters.mayNeed(ctx, &old[i], now)
		switch {
		case err != nil:
			return nil, err
		case why != "":
			s.kept[why]++
		default:
			free = append(free, old[i])
		}
	}
	return free, nil
}
