package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// mended says how far the letters have been looked through.
type mended struct {
	Cursor string `json:"cursor"` // what is behind it has not been looked at
}

const (
	mendedName = "letters" // the one document of its kind
	// mendPage bounds the memory: a letter's body may have a megabyte.
	mendPage = 50
)

// mend takes apart the parked letters that hold another dead letter, and returns
// how many there were. Versions before this one made such: when somebody moved a
// dead letter back to its queue, they called it undecodable and wrapped it again.
//
// What is in them becomes letters of their own, under the ids that they would have
// had; only then a tombstone takes the place of the damaged one. A crash in between
// is repaired by the next call. What was looked at once is not looked at again, so
// that it costs O(groups) as long as nothing undecodable arrives.
func (r *Room) mend(ctx context.Context) (int64, error) {
	f := parked(push.LetterFilter{Code: push.CodeUndecodable})
	if n, err := r.count(ctx, f); err != nil || n == 0 {
		return 0, err
	}
	var was mended
	version, err := r.load(ctx, kindMended, mendedName, &was)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return 0, fmt.Errorf("mend dead letters: %w", err)
	}
	var done int64
	now := was
	for {
		page, next, err := r.Letters.Letters(ctx, f, now.Cursor, mendPage)
		if errors.Is(err, push.ErrCursor) && now.Cursor != "" { // of another store
			now.Cursor = ""
			continue
		}
		if err != nil {
			return done, fmt.Errorf("mend dead letters: %w", err)
		}
		for i := range page {
			apart, err := r.takeApart(ctx, &page[i])
			if err != nil {
				return done, fmt.Errorf("mend %s: %w", page[i].ID, err)
			}
			if apart {
				done++
			}
		}
		if next == "" {
			break
		}
		now.Cursor = next
	}
	if now == was {
		return done, nil
	}
	err = r.save(ctx, kindMended, mendedName, version+1, now, r.now())
	if err != nil && !errors.Is(err, push.ErrConflict) { // another process looked, too
		return done, fmt.Errorf("mend dead letters: %w", err)
	}
	return done, nil
}

// takeApart puts what is in a damaged letter in its place, and reports whether it
// was one.
func (r *Room) takeApart(ctx context.Context, l *push.Letter) (bool, error) {
	if !holdsAnother(l) {
		return false, nil
	}
	m := worker.Message{ID: string(l.ID), Body: l.Body, Group: l.Tenant, Receives: l.Attempts, SentAt: l.AcceptedAt}
	inner, err := r.lettersOf(ctx, l.Queue, &m)
	if errors.Is(err, push.ErrNewerSchema) {
		return false, nil // its own version knows better
	}
	if err != nil {
		return false, err
	}
	if len(inner) == 1 && bytes.Equal(inner[0].Body, l.Body) {
		return false, nil // not to be believed
	}
	if _, err := r.Letters.PutLetters(ctx, inner); err != nil {
		return false, err
	}
	moved, err := r.Letters.MoveLetters(ctx, []push.LetterMove{{
		ID: l.ID, Version: l.Version, State: push.LetterDiscarded, At: r.now(), By: "drain",
		Reason: fmt.Sprintf("it held %d letters that had been moved off their queue; they are letters of their own again", len(inner)),
	}})
	if err != nil || !moved[0] {
		return false, err // a replay has it: its queue's worker puts it right
	}
	r.Log.Warn("a dead letter inside of another was taken out",
		zap.String("letter", string(l.ID)), zap.Int("letters", len(inner)), zap.String("first", string(inner[0].ID)))
	return true, nil
}

// holdsAnother reports whether a letter is about a dead letter.
func holdsAnother(l *push.Letter) bool {
	if l.Kind != push.LetterMessage || l.Bytes > 0 {
		return false
	}
	c, err := wire.Contents(l.Body)
	return err != nil || c.Letter != nil
}
