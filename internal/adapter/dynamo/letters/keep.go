package letters

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// writeCounted does the four steps. write makes the call's i-th change and tells
// whether it was made. On an error the marks stay, because nobody knows what was
// written; they are settled later.
func (s *Store) writeCounted(ctx context.Context, c *call, write func(ctx context.Context, i int) (bool, error)) ([]bool, error) {
	made := make([]bool, len(c.changes))
	if len(c.changes) == 0 {
		return made, nil
	}
	working, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	if err := s.writeJournal(working, c); err != nil {
		return nil, err
	}
	err := table.Concurrently(working, len(c.counterItems), func(ctx context.Context, i int) error {
		return s.mark(ctx, c.w, &c.counterItems[i])
	})
	if err != nil {
		return nil, fmt.Errorf("mark counter items: %w", err)
	}
	err = table.Concurrently(working, len(c.changes), func(ctx context.Context, i int) (err error) {
		made[i], err = write(ctx, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	// The letters stand; the counter items follow even if the caller has gone.
	const grace = 15 * time.Second
	settling, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	return made, s.settle(settling, c, made)
}

func markName(w table.Nonce) string { return prefixMark + hex.EncodeToString(w[:]) }

// mark announces a call to a counter item, and makes the counter item if it is the first.
func (s *Store) mark(ctx context.Context, w table.Nonce, b *counterItem) error {
	var e table.Expression
	e.Absent(markName(w))
	e.Set(markName(w), table.Number(s.db.Now().UnixMicro()))
	e.Add(attrMarks, 1)
	e.Add(attrCalls, 1)
	if b.group != nil {
		name, err := table.PackJSON(groupNameOf(b.group))
		if err != nil {
			return err
		}
		e.Set(attrGroupName, table.Blob(name))
		e.SetIfAbsent(attrSample, table.Text(string(b.group.ID)))
	}
	found, err := s.db.Change(ctx, s.letters, b.item(), e, types.ReturnValueAllNew)
	if err != nil { // that the mark is there already: the answer to the first of two tries got lost
		if found, err = s.db.Winner(ctx, err); err != nil {
			return err
		}
	}
	b.span(found)
	return nil
}

// span forgets the times that a stored counter item spans.
func (b *counterItem) span(found table.Item) {
	if found.Has(attrFirst) && found.Number(attrFirst) <= b.first {
		b.first = 0
	}
	if found.Has(attrLastDead) && found.Number(attrLastDead) >= b.last {
		b.last = 0
	}
}

// settle adds to all counter items what the changes that were made come to.
func (s *Store) settle(ctx context.Context, c *call, made []bool) error {
	sums := c.sums(made)
	err := table.Concurrently(ctx, len(c.counterItems), func(ctx context.Context, i int) error {
		return s.settleItem(ctx, c.w, &c.counterItems[i], sums[i])
	})
	if err != nil {
		return fmt.Errorf("settle counter items: %w", err)
	}
	return nil
}

// settleItem adds to one counter item's counters and takes the mark out. A counter item without
// the mark was settled before. The times only ever span more: they are written
// on condition that they do.
func (s *Store) settleItem(ctx context.Context, w table.Nonce, b *counterItem, sums map[string]int64) error {
	for range table.ConflictTries {
		var e table.Expression
		e.Where("attribute_exists(" + e.Name(markName(w)) + ")")
		e.Drop(markName(w))
		e.Add(attrMarks, -1)
		for counter, n := range sums {
			if n != 0 {
				e.Add(prefixCount+counter, n)
			}
		}
		if b.first != 0 {
			e.SetIf(attrFirst, b.first, ">")
		}
		if b.last != 0 {
			e.SetIf(attrLastDead, b.last, "<")
		}
		found, err := s.db.Winner(ctx, s.db.Update(ctx, s.letters, b.item(), e))
		if err != nil || found == nil || !found.Has(markName(w)) {
			return err
		}
		b.span(found)
	}
	return fmt.Errorf("counter item %s %s: %w", b.pk, b.sk, push.ErrConflict)
}
