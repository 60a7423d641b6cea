package letters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// Source is a notification that dead letters are of.
type Source struct {
	Notification push.ID
	Title        string // that it shows; "" for none, and where the ledger no longer knows it
	Letters      int64  // of those looked at
}

// LabelCount is a label that notifications of dead letters have.
type LabelCount struct {
	Name, Value string
	Letters     int64 // of those looked at
}

// Sources are the notifications and labels behind dead letters: the few that most of the
// letters looked at are of.
type Sources struct {
	Looked        int64 // letters looked at: the newest and the oldest, all where there are few
	Notifications []Source
	Labels        []LabelCount
	// MoreNotifications and MoreLabels are how many others the letters looked at are of.
	MoreNotifications, MoreLabels int
}

const (
	// topSources is how many notifications and labels are named.
	topSources = 3
	// lookedAt is how many of the newest letters are looked at, and how many of the oldest.
	// No store has an index by notification within a cause, and reading every letter of a
	// million takes minutes.
	lookedAt = 200
	// lookPages bounds the reading where a search finds few.
	lookPages = 5
)

// Sources returns what is behind the letters that the filter takes; without States, behind
// parked ones.
func (r *Room) Sources(ctx context.Context, f push.LetterFilter) (Sources, error) {
	if len(f.States) == 0 {
		f.States = []push.LetterState{push.LetterParked}
	}
	seen := map[push.ID]bool{}
	notes, labels := map[push.ID]int64{}, map[LabelCount]int64{}
	for _, oldest := range []bool{false, true} {
		f.OldestFirst = oldest
		ended, err := r.look(ctx, f, func(l *push.Letter) {
			if seen[l.ID] {
				return
			}
			seen[l.ID] = true
			if l.Notification != "" {
				notes[l.Notification]++
			}
			for name, value := range l.Labels {
				labels[LabelCount{Name: name, Value: value}]++
			}
		})
		if err != nil {
			return Sources{}, fmt.Errorf("look at dead letters: %w", err)
		}
		if ended {
			break
		}
	}
	s := Sources{
		Looked: int64(len(seen)), MoreNotifications: max(len(notes)-topSources, 0), MoreLabels: max(len(labels)-topSources, 0),
	}
	byName := func(a, b LabelCount) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) }
	for _, label := range most(labels, byName) {
		label.Letters = labels[label]
		s.Labels = append(s.Labels, label)
	}
	for _, id := range most(notes, cmp.Compare[push.ID]) {
		title, err := r.title(ctx, id)
		if err != nil {
			return Sources{}, err
		}
		s.Notifications = append(s.Notifications, Source{Notification: id, Title: title, Letters: notes[id]})
	}
	return s, nil
}

// look hands the first letters of a filter to f, and reports whether those were all.
func (r *Room) look(ctx context.Context, f push.LetterFilter, each func(*push.Letter)) (ended bool, err error) {
	cursor := ""
	for n, pages := 0, 0; n < lookedAt && pages < lookPages; pages++ {
		page, next, err := r.cfg.Letters.Letters(ctx, f, cursor, lookedAt-n)
		if err != nil {
			return false, err
		}
		for i := range page {
			each(&page[i])
		}
		n += len(page)
		if cursor = next; cursor == "" {
			return true, nil
		}
	}
	return false, nil
}

// most returns the few keys with the highest counts; of equal ones the first in order.
func most[K comparable](counts map[K]int64, order func(a, b K) int) []K {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), order(a, b)) })
	return keys[:min(len(keys), topSources)]
}

func (r *Room) title(ctx context.Context, id push.ID) (string, error) {
	n, err := r.cfg.Notifications.Notification(ctx, id)
	if errors.Is(err, push.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", id, err)
	}
	return message.Title(n.Message), nil
}

// AddSources fills in the Sources of the first groups, which are the largest: as many as a
// person reads. f is the filter that the groups are of.
func (r *Room) AddSources(ctx context.Context, f push.LetterFilter, groups []Group) error {
	const first, concurrency = 20, 8
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrency)
	for i := range groups[:min(len(groups), first)] {
		g.Go(func() (err error) {
			one := f
			one.Fingerprint = groups[i].Fingerprint
			groups[i].Sources, err = r.Sources(ctx, one)
			return err
		})
	}
	return g.Wait()
}
