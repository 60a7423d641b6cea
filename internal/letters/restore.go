package letters

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// restore stores the parked letters of an archive that this store has given up since, and
// returns how many. A tombstone is final, so each comes back as a new letter, under an id
// that follows from the tombstone's: importing twice restores once. The ledger decides
// whether it may be sent, as for any other letter.
func (i *importer) restore(ctx context.Context, letters []push.Letter) (int, error) {
	var back []push.Letter
	for k := range letters {
		l := letters[k]
		if l.State != push.LetterParked {
			continue
		}
		given, err := i.tombstone(ctx, l.ID)
		if err != nil {
			return 0, err
		}
		if !given {
			continue
		}
		for given {
			l.ID = push.DerivedID(push.PrefixDeadLetter, "", "restored "+string(l.ID))
			if given, err = i.tombstone(ctx, l.ID); err != nil {
				return 0, err
			}
		}
		l.StoredAt = i.now() // its time to wait for an operator begins anew
		back = append(back, l)
	}
	if len(back) == 0 {
		return 0, nil
	}
	return i.cfg.Letters.PutLetters(ctx, back)
}

// tombstone reports whether the store has given the letter up.
func (i *importer) tombstone(ctx context.Context, id push.ID) (bool, error) {
	l, err := i.cfg.Letters.Letter(ctx, id)
	if errors.Is(err, push.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("dead letter %s: %w", id, err)
	}
	return l.State == push.LetterDiscarded, nil
}
