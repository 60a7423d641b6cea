package retention

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// whatPage is what upload pages are called in the metrics.
const whatPage = "page"

// Pages removes the pages of notifications that ended longer ago than the given time: the
// lines of uploads, accepted and refused, and what users and devices were resolved to. The
// ledger keeps how each delivery ended. Pages of a notification that somebody may have expanded
// once more, because a dead letter is about it, are kept.
//
// A pass reads the names of pages in the order in which they were stored, up to the first
// that are within their retention: O(removed + kept all the same).
type Pages struct {
	Ledger  Ledger
	Pages   PageStore
	Letters *Letters
	Keep    time.Duration

	place int64
	seen  map[push.ID]bool // looked at in this pass
	ended []push.ID        // whose pages are to be removed
}

// Sweep returns the Sweep.
func (s *Pages) Sweep() Sweep { return Sweep{What: whatPage, Step: s.step} }

func (s *Pages) step(ctx context.Context, now time.Time) (int, bool, error) {
	if len(s.ended) > 0 {
		n, err := s.Pages.RemovePages(ctx, s.ended[0], pagesAtOnce)
		if err == nil && n == 0 {
			s.ended = s.ended[1:]
		}
		return n, true, err
	}
	more, err := s.look(ctx, now)
	if err != nil || !more {
		s.place, s.seen = 0, nil
	}
	return 0, more || len(s.ended) > 0, err
}

// look goes over the next pages, and reports whether there are more to look at.
func (s *Pages) look(ctx context.Context, now time.Time) (more bool, err error) {
	if s.place == 0 {
		s.seen = map[push.ID]bool{}
		s.Letters.forget()
	}
	owners, next, err := s.Pages.PageOwners(ctx, s.place, listed)
	if err != nil {
		return false, err
	}
	cutoff := now.Add(-s.Keep)
	for _, id := range owners {
		if s.seen[id] {
			more = true
			continue
		}
		n, err := s.Ledger.Notification(ctx, id)
		if errors.Is(err, push.ErrNotFound) { // retired: its pages go with it
			more = true
			continue
		}
		if err != nil {
			return false, err
		}
		if young(n.AcceptedAt, cutoff, now) {
			continue
		}
		more, s.seen[id] = true, true
		over, err := s.over(ctx, &n, cutoff)
		if err != nil {
			return false, err
		}
		if over {
			s.ended = append(s.ended, id)
		}
	}
	s.place = next
	return more && len(owners) == listed, nil
}

// over reports whether nobody will ask for the pages any more.
func (s *Pages) over(ctx context.Context, n *push.Notification, cutoff time.Time) (bool, error) {
	a := ledger.AgedOf(n)
	if n.Progress.State == push.StateUploading || !a.Rests() || !a.LastChange().Before(cutoff) {
		return false, nil
	}
	if n.Progress.State != push.StateDeadLettered {
		return true, nil
	}
	why, err := s.Letters.about(ctx, n.ID)
	return why == "", err
}
