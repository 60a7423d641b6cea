package letters

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// PurgeLetters removes up to limit letters that were replayed or discarded
// before the given time, and returns how many. A purged letter is written once
// more, as expired: from then on it is absent for every reader, and TTL deletes
// it with its index entries, which costs nothing; a deletion would cost five
// write units more. Parked letters never expire.
func (s *Store) PurgeLetters(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.purgeLetters(ctx, before, table.Limit(limit))
	if err != nil {
		return 0, fmt.Errorf("purge dead letters: %w", err)
	}
	return n, nil
}

func (s *Store) purgeLetters(ctx context.Context, before time.Time, limit int) (int, error) {
	var over table.Queries
	for shard := range letterShards {
		q := table.IndexQuery(s.letters, indexDone, attrDoneShard, shardKey(shard), attrDoneAt, "<=", doneHour(before))
		q.Limit = table.Ahead(limit, letterShards)
		over = append(over, q)
	}
	m := s.db.Merge(attrDoneAt, false, over)
	purged := 0
	for purged < limit {
		entries, err := m.Take(ctx, limit-purged)
		if err != nil || len(entries) == 0 {
			return purged, err
		}
		n, err := s.expireSome(ctx, entries, before)
		if purged += n; err != nil {
			return purged, err
		}
	}
	return purged, nil
}

// expireSome makes those letters expire that moved before the given time.
func (s *Store) expireSome(ctx context.Context, entries []table.Item, before time.Time) (int, error) {
	ids := make([]push.ID, len(entries))
	for i, e := range entries {
		ids[i] = push.ID(e.Text(table.AttrPK))
	}
	found, err := s.lettersByID(ctx, ids)
	if err != nil {
		return 0, err
	}
	c := s.newCall()
	var gone []*storedLetter
	for _, l := range found {
		if sideOf(l.State) == sideDone && l.MovedAt.Before(before) {
			gone = append(gone, l)
			c.change(l, nil)
		}
	}
	made, err := s.writeCounted(ctx, c, func(ctx context.Context, i int) (bool, error) { return s.expire(ctx, gone[i], c.w) })
	if err != nil {
		return 0, err
	}
	n := 0
	for _, ok := range made {
		if ok {
			n++
		}
	}
	return n, s.dropEmptyCounters(ctx, c)
}

// expire writes a letter as expired, and removes a body that is apart. What is
// left of it until TTL comes are the keys of its index entries, which it would
// cost to remove, and its trail.
func (s *Store) expire(ctx context.Context, l *storedLetter, w table.Nonce) (bool, error) {
	after := *l
	after.Version++
	after.write(w, 1)
	i, err := after.encode()
	if err != nil {
		return false, err
	}
	for _, name := range []string{attrStory, table.AttrBody, attrReason, attrBy} {
		delete(i, name)
	}
	i[table.TTLAttribute] = table.Number(s.db.Now().Unix())
	if made, err := s.replace(ctx, i, l, &after, w); err != nil || !made {
		return made, err
	}
	return true, s.deleteParts(ctx, l.ID, l.parts)
}

// dropEmptyCounters removes the counter items that count nothing any more, on condition that no
// call began to write them meanwhile.
func (s *Store) dropEmptyCounters(ctx context.Context, c *call) error {
	return table.Concurrently(ctx, len(c.counterItems), func(ctx context.Context, at int) error {
		found, err := s.db.Get(ctx, s.letters, c.counterItems[at].item())
		if err != nil || found == nil || found.Number(attrMarks) != 0 {
			return err
		}
		for _, n := range counters(found) {
			if n != 0 {
				return nil
			}
		}
		var e table.Expression
		e.Equal(attrCalls, found[attrCalls])
		return table.UnlessLost(s.db.Remove(ctx, s.letters, c.counterItems[at].item(), e))
	})
}
