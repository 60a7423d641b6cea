package dynamo

import (
	"context"
	"fmt"
	"sync"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Line returns a chunk's line or push.ErrNotFound.
func (s *Store) Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error) {
	found, err := s.get(ctx, s.chunks, lineKey(ref))
	if err == nil && s.live(found) == nil {
		err = push.ErrNotFound
	}
	var l ledger.Line
	if err == nil {
		l, err = decodeLine(found)
	}
	if err != nil {
		return ledger.Line{}, fmt.Errorf("line %s: %w", ref, err)
	}
	return l, nil
}

// Lines returns up to limit lines of a notification with sequence >= from.
func (s *Store) Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error) {
	lines, err := chunkItems(ctx, s, sortLine, id, from, limit, decodeLine)
	if err != nil {
		return nil, fmt.Errorf("lines of %s: %w", id, err)
	}
	return lines, nil
}

// Plans returns up to limit plans of a notification with sequence >= from.
func (s *Store) Plans(ctx context.Context, id push.ID, from, limit int) ([]ledger.Plan, error) {
	plans, err := chunkItems(ctx, s, sortPlan, id, from, limit, decodePlan)
	if err != nil {
		return nil, fmt.Errorf("plans of %s: %w", id, err)
	}
	return plans, nil
}

// lastSequence sorts behind every sequence that fits eight digits.
const lastSequence = "ffffffff"

// chunkItems merges the shards of a notification by sequence.
func chunkItems[T any](ctx context.Context, s *Store, sort string, id push.ID, from, limit int, decode func(item) (T, error)) ([]T, error) {
	var over queries
	for shard := range shardsOf(id) {
		q := between(s.chunks, chunkPartition(id, shard), sort+sequence(from), sort+lastSequence, ahead(limit, shardsOf(id)))
		q.ConsistentRead = new(true)
		over = append(over, q)
	}
	m := s.merge(attrSK, false, over)
	var out []T
	for len(out) < limit {
		i, err := m.next(ctx)
		if err != nil || i == nil {
			return out, err
		}
		if s.live(i) == nil {
			continue
		}
		v, err := decode(i)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Counts sums all lines of a notification, its shards at once.
func (s *Store) Counts(ctx context.Context, id push.ID) (ledger.Counts, error) {
	var mu sync.Mutex
	var sum ledger.Counts
	err := concurrently(ctx, shardsOf(id), func(ctx context.Context, shard int) error {
		q := between(s.chunks, chunkPartition(id, shard), sortLine, sortLine+lastSequence, nil)
		q.ConsistentRead = new(true)
		m := s.merge(attrSK, false, queries{q})
		for {
			i, err := m.next(ctx)
			if err != nil || i == nil {
				return err
			}
			if s.live(i) == nil {
				continue
			}
			l, err := decodeLine(i)
			if err != nil {
				return err
			}
			tally := l.Tally()
			mu.Lock()
			sum.Add(&tally)
			mu.Unlock()
		}
	})
	if err != nil {
		return ledger.Counts{}, fmt.Errorf("counts of %s: %w", id, err)
	}
	return sum, nil
}

// SaveLine replaces a line and appends its new attempts, on condition that the
// stored epoch is fromEpoch and the stored line is not closed; otherwise
// ledger.ErrFenced.
//
// Line and attempts are two items, written together all the same: the attempts
// go first, under a number larger than any before, and the line's save names
// that number as the last one that counts. Attempts with a larger number do not
// count, so a crash between the two writes, or a save that is fenced, leaves
// attempts that nobody reads and that TTL removes. Should the same owner save
// again after an error, they count from then on; its line says the same.
func (s *Store) SaveLine(ctx context.Context, l ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error {
	if err := s.saveLine(ctx, &l, fromEpoch, "<>", attempts); err != nil {
		return fmt.Errorf("save line %s from epoch %d: %w", l.Ref, fromEpoch, err)
	}
	return nil
}

// ReopenLine replaces a closed line by the reopened one and appends the evidence
// of that, as SaveLine does, on condition that the stored epoch is fromEpoch and
// the stored line is closed; otherwise ledger.ErrFenced.
func (s *Store) ReopenLine(ctx context.Context, l ledger.Line, fromEpoch int64, marks []ledger.Attempt) error {
	if err := s.saveLine(ctx, &l, fromEpoch, "=", marks); err != nil {
		return fmt.Errorf("reopen line %s from epoch %d: %w", l.Ref, fromEpoch, err)
	}
	return nil
}

// saveLine writes a line whose stored state stands in the given relation to
// closed.
func (s *Store) saveLine(ctx context.Context, l *ledger.Line, fromEpoch int64, relation string, attempts []ledger.Attempt) error {
	w := s.newNonce()
	var e expression
	if len(attempts) > 0 {
		in := seriesOf(l.Epoch, fromEpoch, w)
		saved, err := s.saveAttempts(ctx, l.Ref, in, attempts)
		if err != nil {
			return err
		}
		e.names = map[string]string{"#series": in.name()} // a map's key: few, because it takes a claim to make one
		e.sets = append(e.sets, e.name(attrSaved)+".#series = "+e.value(attrSaved, number(saved)))
	}
	for _, x := range s.changing(l, w) {
		e.set(x.name, x.value)
	}
	e.equal(attrEpoch, number(fromEpoch))
	e.where(e.name(attrState) + " " + relation + " " + e.value("closed", number(int64(ledger.StateClosed))))
	err := s.update(ctx, s.chunks, lineKey(l.Ref), e)
	if err == nil {
		return nil
	}
	found, err := s.winner(ctx, err)
	if err != nil {
		return err
	}
	if found.nonceAt(attrWrite) == w {
		return nil // our own write, whose answer got lost
	}
	return ledger.ErrFenced
}
