package replay

import (
	"context"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Keeper is the room of the letters; see the methods of letters.Room.
type Keeper interface {
	Get(ctx context.Context, id push.ID) (letters.Detail, error)
}

// Letters is the dead-letter store; see letters.Store.
type Letters interface {
	Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error)
	MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error)
	// LetterTally counts the letters that a replay claimed last.
	LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error)
}

// Notifications are the heads of what letters belong to.
type Notifications interface {
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	// Advance replaces the progress on condition that the stored version is
	// next.Version-1; otherwise push.ErrConflict.
	Advance(ctx context.Context, id push.ID, next push.Progress) error
}

// Lines are the chunks' ledger lines.
type Lines interface {
	// Line returns a chunk's line or push.ErrNotFound.
	Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error)
	// Attempts returns the evidence of a chunk in the order in which it was saved.
	Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error)
	// ReopenLine replaces a closed line by what ledger.Line.Reopen made of it and
	// appends the marks, on condition that the stored epoch is fromEpoch;
	// otherwise ledger.ErrFenced.
	ReopenLine(ctx context.Context, line ledger.Line, fromEpoch int64, marks []ledger.Attempt) error
	// SaveLine replaces a line that is not closed, on the same condition.
	SaveLine(ctx context.Context, line ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error
}

// Publisher publishes events.
type Publisher interface {
	Publish(ctx context.Context, events []wire.Event) error
}
