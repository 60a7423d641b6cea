// Package letterstest is the conformance suite of the dead-letter store, and the
// plainest store that passes it: [Memory], for tests of what stands on the port.
package letterstest

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Store is the dead-letter store as letters.Store declares it. Implementations
// are safe for concurrent use by several processes, and every successful write
// is durable.
type Store interface {
	PutLetters(ctx context.Context, ls []push.Letter) (int, error)
	Letter(ctx context.Context, id push.ID) (push.Letter, error)
	Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error)
	LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error)
	MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error)
	LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error)
	EraseLetter(ctx context.Context, id push.ID, change func(l *push.Letter)) error
	PurgeLetters(ctx context.Context, before time.Time, limit int) (int, error)
}
