package dynamo

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/push"
)

// keep does the four steps. write makes the call's i-th change and tells
// whether it was made. On an error the marks stay, because nobody knows what was
// written; they are settled later.
func (s *Store) keep(ctx context.Context, c *call, write func(ctx context.Context, i int) (bool, error)) ([]bool, error) {
	made := make([]bool, len(c.changes))
	if len(c.changes) == 0 {
		return made, nil
	}
	working, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	if err := s.writeJournal(working, c); err != nil {
		return nil, err
	}
	err := concurrently(working, len(c.books), func(ctx context.Context, i int) error { return s.mark(ctx, c.w, &c.books[i]) })
	if err != nil {
		return nil, fmt.Errorf("mark books: %w", err)
	}
	err = concurrently(working, len(c.changes), func(ctx context.Context, i int) (err error) {
		made[i], err = write(ctx, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	// The letters stand; the books follow even if the caller has gone.
	const grace = 15 * time.Second
	settling, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	return made, s.settle(settling, c, made)
}

func markName(w nonce) string { return prefixMark + hex.EncodeToString(w[:]) }

// mark announces a call to a book, and makes the book if it is the first.
func (s *Store) mark(ctx context.Context, w nonce, b *book) error {
	var e expression
	e.absent(markName(w))
	e.set(markName(w), number(s.now().UnixMicro()))
	e.add(attrMarks, 1)
	e.add(attrCalls, 1)
	if b.group != nil {
		name, err := packJSON(groupNameOf(b.group))
		if err != nil {
			return err
		}
		e.set(attrGroupName, blob(name))
		e.setIfAbsent(attrSample, text(string(b.group.ID)))
	}
	found, err := s.change(ctx, s.letters, b.item(), e, types.ReturnValueAllNew)
	if err != nil { // that the mark is there already: the answer to the first of two tries got lost
		if found, err = s.winner(ctx, err); err != nil {
			return err
		}
	}
	b.span(found)
	return nil
}

// span forgets the times that a stored book spans.
func (b *book) span(found item) {
	if found.has(attrFirst) && found.number(attrFirst) <= b.first {
		b.first = 0
	}
	if found.has(attrLastDead) && found.number(attrLastDead) >= b.last {
		b.last = 0
	}
}

// settle adds to all books what the changes that were made come to.
func (s *Store) settle(ctx context.Context, c *call, made []bool) error {
	sums := c.sums(made)
	err := concurrently(ctx, len(c.books), func(ctx context.Context, i int) error { return s.settleOne(ctx, c.w, &c.books[i], sums[i]) })
	if err != nil {
		return fmt.Errorf("settle books: %w", err)
	}
	return nil
}

// settleOne adds to one book's counters and takes the mark out. A book without
// the mark was settled before. The times only ever span more: they are written
// on condition that they do.
func (s *Store) settleOne(ctx context.Context, w nonce, b *book, sums map[string]int64) error {
	for range conflictTries {
		var e expression
		e.where("attribute_exists(" + e.name(markName(w)) + ")")
		e.drop(markName(w))
		e.add(attrMarks, -1)
		for counter, n := range sums {
			if n != 0 {
				e.add(prefixCount+counter, n)
			}
		}
		if b.first != 0 {
			e.setIf(attrFirst, b.first, ">")
		}
		if b.last != 0 {
			e.setIf(attrLastDead, b.last, "<")
		}
		found, err := s.winner(ctx, s.update(ctx, s.letters, b.item(), e))
		if err != nil || found == nil || !found.has(markName(w)) {
			return err
		}
		b.span(found)
	}
	return fmt.Errorf("book %s %s: %w", b.pk, b.sk, push.ErrConflict)
}
