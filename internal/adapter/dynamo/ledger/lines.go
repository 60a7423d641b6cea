package ledger

import (
	"context"
	"fmt"
	"sync"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Line returns a chunk's line or push.ErrNotFound.
func (s *Store) Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error) {
	found, err := s.db.Get(ctx, s.chunks, lineKey(ref))
	if err == nil && s.db.Live(found) == nil {
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
func chunkItems[T any](ctx context.Context, s *Store, sort string, id push.ID, from, limit int,
	decode func(table.Item) (T, error),
) ([]T, error) {
	var over table.Queries
	for shard := range shardsOf(id) {
		q := table.Between(s.chunks, chunkPartition(id, shard), sort+sequence(from), sort+lastSequence, table.Ahead(limit, shardsOf(id)))
		q.ConsistentRead = new(true)
		over = append(over, q)
	}
	m := s.db.Merge(table.AttrSK, false, over)
	var out []T
	for len(out) < limit {
		i, err := m.Next(ctx)
		if err != nil || i == nil {
			return out, err
		}
		if s.db.Live(i) == nil {
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
	err := table.Concurrently(ctx, shardsOf(id), func(ctx context.Context, shard int) error {
		q := table.Between(s.chunks, chunkPartition(id, shard), sortLine, sortLine+lastSequence, nil)
		q.ConsistentRead = new(true)
		m := s.db.Merge(table.AttrSK, false, table.Queries{q})
		for {
			i, err := m.Next(ctx)
			if err != nil || i == nil {
				return err
			}
			if s.db.Live(i) == nil {
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
	w := s.db.NewNonce()
	var e table.Expression
	if len(attempts) > 0 {
		in := seriesOf(l.Epoch, fromEpoch, w)
		saved, err := s.saveAttempts(ctx, l.Ref, in, attempts)
		if err != nil {
			return err
		}
		e.Names = map[string]string{"#series": in.name()} // a map's key: few, because it takes a claim to make one
		e.Assign(e.Name(attrSaved) + ".#series = " + e.Value(attrSaved, table.Number(saved)))
	}
	for _, x := range s.changing(l, w) {
		e.Set(x.name, x.value)
	}
	e.Equal(attrEpoch, table.Number(fromEpoch))
	e.Where(e.Name(table.AttrState) + " " + relation + " " + e.Value("closed", table.Number(int64(ledger.StateClosed))))
	err := s.db.Update(ctx, s.chunks, lineKey(l.Ref), e)
	if err == nil {
		return nil
	}
	found, err := s.db.Winner(ctx, err)
	if err != nil {
		return err
	}
	if found.NonceAt(table.AttrWrite) == w {
		return nil // our own write, whose answer got lost
	}
	return ledger.ErrFenced
}
