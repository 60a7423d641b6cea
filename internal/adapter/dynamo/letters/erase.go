package letters

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// EraseLetter applies change to a letter as it is stored, and stores what that makes of its
// recipient, body and detail. The letter is one version on, so that whoever has read it before
// cannot move it any more. Without the letter it changes nothing.
//
// Parts of a body are written before the letter that names them, and the old ones removed after
// it; a crash in between leaves parts that nothing names.
func (s *Store) EraseLetter(ctx context.Context, id push.ID, change func(l *push.Letter)) error {
	err := table.UntilDone(func() (bool, error) { return s.eraseOnce(ctx, id, change) })
	if err != nil {
		return fmt.Errorf("erase dead letter %s: %w", id, err)
	}
	return nil
}

func (s *Store) eraseOnce(ctx context.Context, id push.ID, change func(l *push.Letter)) (bool, error) {
	found, err := s.lettersByID(ctx, []push.ID{id})
	if err != nil {
		return false, err
	}
	before := found[id]
	if before == nil {
		return true, nil
	}
	whole := []storedLetter{*before}
	if err := s.join(ctx, whole); err != nil {
		return false, err
	}
	after, w := whole[0], s.db.NewNonce()
	changed := after.Letter
	change(&changed)
	after.Recipient, after.Body, after.Detail = changed.Recipient, changed.Body, changed.Detail
	after.Version++
	after.write(w, 1)
	after.parts = parts{}
	if err := s.cut(ctx, &after, w); err != nil {
		return false, err
	}
	i, err := after.encode()
	if err != nil {
		return false, err
	}
	made, err := s.replace(ctx, i, before, &after, w)
	if err != nil || !made {
		return false, err
	}
	return true, s.deleteParts(ctx, id, before.parts)
}
