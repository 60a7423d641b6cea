package letters

import (
	"context"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// fewParts is up to how many sides of groups a walk asks for each on its own:
// every one costs a query a shard. The letters of more groups are dense enough
// in the order of arrival.
const fewParts = 8

// walk goes through the letters that a filter may take, in the order of arrival.
type walk struct {
	store *Store
	from  *table.Merger // nil: ids
	ids   []push.ID     // what is left of a walk through letters that are named
	f     *push.LetterFilter
	place string
	seen  string // the last place, to tell an entry that is in two partitions
	ended bool
}

// walk starts behind a place, "" being the beginning. groups are those that the
// filter may take letters of; nil means all.
func (s *Store) walk(f *push.LetterFilter, groups map[string]*push.LetterGroup, place string) *walk {
	w := &walk{store: s, f: f, place: place}
	if len(f.IDs) > 0 {
		w.ids = f.IDs
		return w
	}
	index, attribute, keys := letterPartitions(f, groups)
	var over table.Queries
	for _, key := range keys {
		operator := ""
		if place != "" {
			if operator = "<"; f.OldestFirst {
				operator = ">"
			}
		}
		over = append(over, table.IndexQuery(s.letters, index, attribute, key, attrAt, operator, place))
	}
	w.from = s.db.Merge(attrAt, !f.OldestFirst, over)
	return w
}

// letterPartitions chooses the index in which the letters of no interest are
// fewest, and returns its partitions.
func letterPartitions(f *push.LetterFilter, groups map[string]*push.LetterGroup) (index, attribute string, keys []string) {
	var parts [][]string
	switch {
	case f.Replay != "":
		index, attribute = indexByReplay, attrReplayShard
		for _, side := range replaySidesOf(f) {
			parts = append(parts, []string{side, string(f.Replay)})
		}
	case f.Notification != "":
		index, attribute = indexByNotification, attrNotificationShard
		parts = [][]string{{string(f.Notification)}}
	case groups != nil && len(groups)*len(sidesOf(f)) <= fewParts:
		index, attribute = indexByGroup, attrGroup
		for hash := range groups {
			for _, side := range sidesOf(f) {
				parts = append(parts, []string{side, hash})
			}
		}
	default:
		index, attribute = indexArrival, attrArrival
		for _, side := range sidesOf(f) {
			parts = append(parts, []string{side})
		}
	}
	for _, part := range parts {
		for shard := range letterShards {
			keys = append(keys, shardKey(shard, part...))
		}
	}
	return index, attribute, keys
}

// sidesOf are the sides on which a filter's states are.
func sidesOf(f *push.LetterFilter) []string {
	if f.Awaiting {
		return []string{sideDone}
	}
	var sides []string
	for _, s := range push.LetterStates() {
		if side := sideOf(s); f.MatchState(s) && !slices.Contains(sides, side) {
			sides = append(sides, side)
		}
	}
	return sides
}

// replaySidesOf returns the sides of a replay that may hold letters of the filter.
func replaySidesOf(f *push.LetterFilter) []string {
	if f.Awaiting || len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s push.LetterState) bool { return s != push.LetterReplaying }) {
		return []string{replayOpen}
	}
	return []string{replayOpen, replayClosed}
}

// next returns the letters of up to limit more entries, as they are now, and the
// place of the last entry. There may be fewer letters than entries. ended tells
// whether that was all.
func (w *walk) next(ctx context.Context, limit int) ([]storedLetter, string, error) {
	if w.from == nil {
		letters, err := w.named(ctx)
		w.ended = true
		return letters, "", err
	}
	w.from.ReadAhead(limit)
	entries, err := w.from.Take(ctx, limit)
	if err != nil {
		return nil, "", err
	}
	w.ended = len(entries) < limit
	ids := make([]push.ID, len(entries))
	for i, e := range entries {
		ids[i] = push.ID(e.Text(table.AttrPK))
	}
	found, err := w.store.lettersByID(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	letters := make([]storedLetter, 0, len(entries))
	for i, e := range entries {
		at := e.Text(attrAt)
		// An entry that is moving to another partition may show in both.
		if l := found[ids[i]]; l != nil && l.at == at && at != w.seen {
			letters = append(letters, *l)
		}
		w.seen = at
	}
	return letters, w.seen, nil
}

// named returns the letters that the filter names, those behind the place, in
// order.
func (w *walk) named(ctx context.Context) ([]storedLetter, error) {
	found, err := w.store.lettersByID(ctx, w.ids)
	if err != nil {
		return nil, err
	}
	var letters []storedLetter
	for _, l := range found {
		behind := w.place == "" || l.at < w.place && !w.f.OldestFirst || l.at > w.place && w.f.OldestFirst
		if behind {
			letters = append(letters, *l)
		}
	}
	slices.SortFunc(letters, func(a, b storedLetter) int {
		if w.f.OldestFirst {
			return strings.Compare(a.at, b.at)
		}
		return strings.Compare(b.at, a.at)
	})
	return letters, nil
}
