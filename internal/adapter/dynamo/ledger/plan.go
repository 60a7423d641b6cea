package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Plan stores each plan and its first line unless the chunk exists, and returns
// the lines stored now.
//
// A chunk is two items. The plan goes first and decides: whoever finds one there
// makes the line from that, not from its own, so that a crash between the two,
// or two planners, end with a plan and a line that agree. Chunks are written at
// once, but one that is the last of its page only after all before it: a stored
// last chunk implies its page. Any other gap that a crash leaves is closed by
// the planning task, which is repeated and cuts at the same places.
func (s *Store) Plan(ctx context.Context, plans []ledger.Plan, now time.Time) ([]ledger.Line, error) {
	if len(plans) == 0 {
		return nil, nil
	}
	lines := make([]ledger.Line, len(plans))
	one := func(ctx context.Context, i int) (bool, error) {
		l, created, err := s.planChunk(ctx, &plans[i], now)
		if err != nil {
			return false, fmt.Errorf("plan %s: %w", plans[i].Ref, err)
		}
		lines[i] = l
		return created, nil
	}
	created, err := one(ctx, 0)
	if err != nil {
		return nil, err
	}
	var known map[push.ChunkRef]ledger.Line
	if !created { // this page was planned before: reading is a tenth of the cost of trying to write
		if known, err = s.linesOf(ctx, plans[1:]); err != nil {
			return nil, err
		}
	}
	for from := 1; from < len(plans); {
		to := from
		for to < len(plans)-1 && !plans[to].Last {
			to++
		}
		err := table.Concurrently(ctx, to-from, func(ctx context.Context, i int) error {
			return planUnlessKnown(ctx, known, plans, lines, from+i, one)
		})
		if err == nil {
			err = planUnlessKnown(ctx, known, plans, lines, to, one)
		}
		if err != nil {
			return nil, err
		}
		from = to + 1
	}
	return lines, nil
}

func planUnlessKnown(
	ctx context.Context, known map[push.ChunkRef]ledger.Line, plans []ledger.Plan, lines []ledger.Line, i int,
	plan func(context.Context, int) (bool, error),
) error {
	if l, ok := known[plans[i].Ref]; ok {
		lines[i] = l
		return nil
	}
	_, err := plan(ctx, i)
	return err
}

// linesOf reads the lines of plans that are stored already.
func (s *Store) linesOf(ctx context.Context, plans []ledger.Plan) (map[push.ChunkRef]ledger.Line, error) {
	keys := make([]table.Item, len(plans))
	for i := range plans {
		keys[i] = lineKey(plans[i].Ref)
	}
	found, err := s.db.BatchGet(ctx, s.chunks, keys, true)
	if err != nil {
		return nil, fmt.Errorf("read planned lines: %w", err)
	}
	out := make(map[push.ChunkRef]ledger.Line, len(found))
	for _, i := range found {
		if s.db.Live(i) == nil {
			continue
		}
		l, err := decodeLine(i)
		if err != nil {
			return nil, err
		}
		out[l.Ref] = l
	}
	return out, nil
}

// planChunk stores one chunk unless it exists. It returns the line that is
// stored and whether this call stored it.
func (s *Store) planChunk(ctx context.Context, p *ledger.Plan, now time.Time) (ledger.Line, bool, error) {
	w := s.db.NewNonce()
	i, err := s.encodePlan(p, w)
	if err != nil {
		return ledger.Line{}, false, err
	}
	kept := *p
	found, err := s.putOnce(ctx, i, w)
	if err != nil {
		return ledger.Line{}, false, err
	}
	if found != nil {
		if kept, err = decodePlan(found); err != nil {
			return ledger.Line{}, false, err
		}
	}
	l := ledger.NewLine(kept, now)
	if found, err = s.putOnce(ctx, s.encodeLine(&l, w), w); err != nil {
		return ledger.Line{}, false, err
	}
	if found == nil {
		return l, true, nil
	}
	l, err = decodeLine(found)
	return l, false, err
}

// putOnce stores an item of a chunk unless a live one exists, which it returns.
func (s *Store) putOnce(ctx context.Context, i table.Item, w table.Nonce) (table.Item, error) {
	for range table.ConflictTries {
		var e table.Expression
		e.AbsentOrExpired(table.AttrPK, s.db.Now().Unix())
		_, err := s.db.Put(ctx, s.chunks, i, e, false)
		if err == nil {
			return nil, nil
		}
		found, err := s.db.Winner(ctx, err)
		if err != nil {
			return nil, err
		}
		if found.NonceAt(table.AttrWrite) == w {
			return nil, nil // our own write, whose answer got lost
		}
		if s.db.Live(found) != nil {
			return found, nil
		}
	}
	return nil, push.ErrConflict
}
