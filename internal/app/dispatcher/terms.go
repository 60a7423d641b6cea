package dispatcher

import (
	"context"
	"errors"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/push"
)

// terms are what the settings of apps say about delivering. What no setting says is left to this
// process's own.
type terms struct{ effects *access.Effects }

// Terms implements [deliver.Terms].
func (t terms) Terms(ctx context.Context, tenant, app string) (deliver.Term, error) {
	e, err := t.effects.Of(ctx, tenant, app)
	if errors.Is(err, push.ErrNotFound) {
		ended, err := t.effects.Deleted(ctx, tenant, app)
		return deliver.Term{Ended: ended}, err
	}
	if err != nil || e.From["max_attempts"] == access.FromBuiltin {
		return deliver.Term{}, err
	}
	return deliver.Term{MaxAttempts: int(*e.MaxAttempts)}, nil
}

var _ deliver.Terms = terms{}
