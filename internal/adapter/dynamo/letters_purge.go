package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// PurgeLetters removes up to limit letters that were replayed or discarded
// before the given time, and returns how many. A purged letter is written once
// more, as expired: from then on it is absent for every reader, and TTL deletes
// it with its index entries, which costs nothing; a deletion would cost five
// write units more. Parked letters never expire.
func (s *Store) PurgeLetters(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.purgeLetters(ctx, before, listLimit(limit))
	if err != nil {
		return 0, fmt.Errorf("purge dead letters: %w", err)
	}
	return n, nil
}

func (s *Store) purgeLetters(ctx context.Context, before time.Time, limit int) (int, error) {
	var over queries
	for shard := range letterShards {
		q := s.indexQuery(s.letters, indexDone, attrDoneShard, shardKey(shard), attrDoneAt, "<=", doneHour(before))
		q.Limit = ahead(limit, letterShards)
		over = append(over, q)
	}
	m := s.merge(attrDoneAt, false, over)
	purged := 0
	for purged < limit {
		entries, err := m.take(ctx, limit-purged)
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
func (s *Store) expireSome(ctx context.Context, entries []item, before time.Time) (int, error) {
	ids := make([]push.ID, len(entries))
	for i, e := range entries {
		ids[i] = push.ID(e.text(attrPK))
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
	made, err := s.keep(ctx, c, func(ctx context.Context, i int) (bool, error) { return s.expire(ctx, gone[i], c.w) })
	if err != nil {
		return 0, err
	}
	n := 0
	for _, ok := range made {
		if ok {
			n++
		}
	}
	return n, s.dropBooks(ctx, c)
}

// expire writes a letter as expired, and removes a body that is apart.
func (s *Store) expire(ctx context.Context, l *storedLetter, w nonce) (bool, error) {
	after := *l
	after.Version++
	after.write(w, 1)
	i, err := after.encode()
	if err != nil {
		return false, err
	}
	i[TTLAttribute] = number(s.now().Unix())
	if made, err := s.replace(ctx, i, l, &after, w); err != nil || !made {
		return made, err
	}
	return true, s.shred(ctx, l.ID, l.parts)
}

// dropBooks removes the books that count nothing any more, on condition that no
// call began to write them meanwhile.
func (s *Store) dropBooks(ctx context.Context, c *call) error {
	return concurrently(ctx, len(c.books), func(ctx context.Context, at int) error {
		found, err := s.get(ctx, s.letters, c.books[at].item())
		if err != nil || found == nil || found.number(attrMarks) != 0 {
			return err
		}
		for _, n := range found.counters() {
			if n != 0 {
				return nil
			}
		}
		var e expression
		e.equal(attrCalls, found[attrCalls])
		_, err = lostOnly(s.remove(ctx, s.letters, c.books[at].item(), e))
		return err
	})
}

// outcomeCounter returns the outcome that a replay's counter counts.
func outcomeCounter(counter string) (push.Code, bool) {
	if len(counter) <= len(countOutcome) || counter[:len(countOutcome)] != countOutcome {
		return 0, false
	}
	n, err := strconv.ParseUint(counter[len(countOutcome):], 10, 8)
	return push.Code(n), err == nil
}
