package deliver

import "context"

// Terms knows what holds for what an app sends. Safe for concurrent use.
type Terms interface {
	// Terms returns what holds for an app; "" is its tenant's default one. It is a few seconds
	// old at most, and asked for with every reading of a notification.
	Terms(ctx context.Context, tenant, app string) (Term, error)
}

// Term is what holds for what an app sends.
type Term struct {
	// Ended says that the app or its tenant was deleted: what still waits ends as cancelled.
	Ended bool
	// MaxAttempts is how often a recipient is tried, from 1; 0 is what Config has.
	MaxAttempts int
}

// noTerms says that Config holds for everybody.
type noTerms struct{}

// Terms implements [Terms].
func (noTerms) Terms(context.Context, string, string) (Term, error) { return Term{}, nil }

var _ Terms = noTerms{}

// mostAttempts is how often a recipient of the chunk is tried; otherwise is what Config has.
func (j *job) mostAttempts(otherwise int) int {
	if most := j.head.term().MaxAttempts; most > 0 {
		return most
	}
	return otherwise
}
