package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// Search chooses notifications: what is set must all hold. The zero Search takes all.
type Search struct {
	Labels []push.Label
	States []push.State // as callers see them, see ledger.StateOf; none: any
	Prefix string       // of ids: push.PrefixNotification or push.PrefixBatch; "": both
	Since  time.Time    // accepted then or later
	Until  time.Time    // accepted before
	Sender string       // who sent it, exactly
	App    string       // by name; "": any
	Title  string       // a part of the title, whatever the case of its letters
}

// What one answer may cost.
const (
	// searchPage is how many heads are read at once when most of them may be left out.
	searchPage = 200
	// maxSearched bounds the heads that are read for one answer. A search for something
	// rare then takes several calls, of which some come back short, or without rows, and
	// with a cursor.
	maxSearched = 2000
	// viewsAtOnce is how many notifications' lines are summed at the same time.
	viewsAtOnce = 8
)

// beforeAll is smaller than any id: nothing that was accepted at a time stands behind it.
const beforeAll = push.ID("!")

// all reports whether no head needs to be looked at.
func (s *Search) all() bool {
	return len(s.Labels) == 0 && len(s.States) == 0 && s.Prefix == "" && s.Sender == "" && s.App == "" && s.Title == ""
}

// takes reports whether all but the state holds of a notification.
func (s *Search) takes(n *push.Notification) bool {
	for _, l := range s.Labels {
		if !l.In(n.Labels) {
			return false
		}
	}
	return (s.Prefix == "" || n.ID.Prefix() == s.Prefix) && (s.Sender == "" || n.Sender == s.Sender) &&
		(s.App == "" || n.AppName() == s.App) && (s.Until.IsZero() || n.AcceptedAt.Before(s.Until)) && s.mayBe(n.Progress.State) &&
		(s.Title == "" || strings.Contains(strings.ToLower(message.Title(n.Message)), strings.ToLower(s.Title)))
}

// mayBe reports whether a notification with that stored state may be in a state that is
// wanted. What is stored as ended is so; anything else depends on its lines.
func (s *Search) mayBe(stored push.State) bool {
	return len(s.States) == 0 || slices.Contains(s.States, stored) || !stored.Final() && stored != push.StateDeadLettered
}

// Notifications lists how a tenant's notifications and batches stand, those that the search
// chooses, newest first: up to limit (1..1000; 0 means 100) and the cursor of the next ones,
// "" at the end. Each is what Notification returns. A page may have fewer than asked for,
// also none, and still be followed by others. A cursor that it did not return is
// push.ErrCursor.
//
// It begins at Until and ends at Since. In between it reads the heads one after the other,
// since nothing but their time is indexed: a thousand at most for one answer if all are
// wanted, two thousand if not. For each that it returns, and each that may be in the wanted
// state, it sums the lines: O(chunks).
func (r *Reader) Notifications(ctx context.Context, tenant string, s Search, cursor string, limit int) ([]View, string, error) {
	l := lister{Reader: r, tenant: tenant, search: s, limit: within(limit), next: cursor}
	if err := l.run(ctx); err != nil {
		return nil, "", fmt.Errorf("list notifications: %w", err)
	}
	return l.found, l.next, nil
}

// lister is one listing under way.
type lister struct {
	*Reader

	tenant string
	search Search
	limit  int
	next   string // cursor behind what was looked at
	found  []View
}

func (l *lister) run(ctx context.Context) error {
	if l.next == "" && !l.search.Until.IsZero() {
		l.next = l.cfg.Notifications.Behind(l.search.Until, beforeAll)
	}
	size := l.limit
	if !l.search.all() {
		size = max(size, searchPage)
	}
	for read := 0; read < maxSearched; read += size {
		heads, next, err := l.cfg.Notifications.Notifications(ctx, l.tenant, l.next, size)
		if err != nil {
			return err
		}
		done, err := l.take(ctx, heads)
		if err != nil || done {
			return err
		}
		if l.next = next; next == "" || len(l.found) == l.limit {
			return nil
		}
	}
	return nil
}

// take adds those of the heads that are wanted, and reports whether that ends the answer.
func (l *lister) take(ctx context.Context, heads []push.Notification) (done bool, err error) {
	for len(heads) > 0 && len(l.found) < l.limit {
		// So many that the page cannot have too many.
		var some []push.Notification
		looked := 0
		for ; looked < len(heads) && len(some) < l.limit-len(l.found); looked++ {
			n := &heads[looked]
			if n.AcceptedAt.Before(l.search.Since) {
				l.next, done = "", true
				break
			}
			if l.search.takes(n) {
				some = append(some, *n)
			}
		}
		if err := l.add(ctx, some); err != nil || done {
			return done, err
		}
		last := &heads[looked-1]
		heads = heads[looked:]
		if len(l.found) == l.limit && len(heads) > 0 {
			l.next = l.cfg.Notifications.Behind(last.AcceptedAt, last.ID)
			return true, nil
		}
	}
	return false, nil
}

// add adds those that are in a wanted state, in their order.
func (l *lister) add(ctx context.Context, heads []push.Notification) error {
	views, gone := make([]View, len(heads)), make([]bool, len(heads))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(viewsAtOnce)
	for i := range heads {
		g.Go(func() error {
			v, err := l.viewOf(ctx, heads[i], false)
			if err == nil && v.Counts.Balance(v.Notification.Progress.Sources) != nil {
				v, err = l.balanced(ctx, l.tenant, heads[i].ID, true)
			}
			gone[i] = errors.Is(err, push.ErrNotFound)
			if gone[i] {
				return nil
			}
			views[i] = v
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range views {
		if !gone[i] && (len(l.search.States) == 0 || slices.Contains(l.search.States, views[i].State)) {
			l.found = append(l.found, views[i])
		}
	}
	return nil
}
