package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Forget removes the documents of a kind that were written last before the given time and that
// may go, and returns how many. A document that is written meanwhile stays.
func Forget(ctx context.Context, s Store, kind string, before time.Time, may func(context.Context, *Document) (bool, error)) (int, error) {
	const page = 100
	var gone int
	for cursor := ""; ; {
		ds, next, err := s.Documents(ctx, kind, cursor, page)
		if err != nil {
			return gone, err
		}
		for i := range ds {
			d := &ds[i]
			if !d.UpdatedAt.Before(before) {
				continue
			}
			if ok, err := may(ctx, d); err != nil || !ok {
				if err != nil {
					return gone, err
				}
				continue
			}
			switch err := s.DeleteDocument(ctx, d.Kind, d.Name, d.Version); {
			case err == nil:
				gone++
			case !errors.Is(err, push.ErrConflict) && !errors.Is(err, push.ErrNotFound):
				return gone, fmt.Errorf("forget %s %s: %w", d.Kind, d.Name, err)
			}
		}
		if cursor = next; cursor == "" {
			return gone, nil
		}
	}
}
