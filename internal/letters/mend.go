package letters

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// mended is how far the letters have been searched for damage.
type mended struct {
	Cursor string `json:"cursor"` // what is behind it has not been looked at
}

const (
	// kindMended is the kind of the one document that says how far the letters have been
	// searched for damage.
	kindMended = "mended"
	mendedName = "letters"
	// mendPage bounds the memory: a letter's body may have a megabyte.
	mendPage = 50
)

// Mend takes apart the parked letters that hold another dead letter, and returns
// how many there were. Earlier versions made them: when a dead letter was moved back to its
// queue, they called it undecodable and wrapped it again.
//
// The letters inside become letters of their own, under the ids that they would have had;
// only then does a tombstone take the place of the damaged one. The next call repairs a
// crash in between. No letter is searched twice, so Mend costs O(groups) as long as nothing
// undecodable arrives.
func (r *Room) Mend(ctx context.Context) (int64, error) {
	f := Parked(push.LetterFilter{Code: push.CodeUndecodable})
	if n, err := r.Count(ctx, f); err != nil || n == 0 {
		return 0, err
	}
	var was mended
	version, err := document.Load(ctx, r.cfg.Documents, kindMended, mendedName, &was)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return 0, fmt.Errorf("mend dead letters: %w", err)
	}
	var done int64
	now := was
	for {
		page, next, err := r.cfg.Letters.Letters(ctx, f, now.Cursor, mendPage)
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
	err = document.Save(ctx, r.cfg.Documents, kindMended, mendedName, version+1, now, r.now())
	if err != nil && !errors.Is(err, push.ErrConflict) { // another process looked, too
		return done, fmt.Errorf("mend dead letters: %w", err)
	}
	return done, nil
}

// takeApart replaces a damaged letter by the letters inside, and reports whether it was
// damaged.
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
	if _, err := r.cfg.Letters.PutLetters(ctx, inner); err != nil {
		return false, err
	}
	moved, err := r.cfg.Letters.MoveLetters(ctx, []push.LetterMove{{
		ID: l.ID, Version: l.Version, State: push.LetterDiscarded, At: r.now(), By: "drain",
		Reason: fmt.Sprintf("it held %d letters that had been moved off their queue; they are letters of their own again", len(inner)),
	}})
	if err != nil || !moved[0] {
		return false, err // a replay has it: its queue's worker puts it right
	}
	r.cfg.Log.Warn("a dead letter inside of another was taken out",
		about.Letter(l), zap.Int("letters", len(inner)), zap.String("inner", string(inner[0].ID)))
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
