package replay

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Shelf keeps dead letters. Implementations are safe for concurrent use by
// several processes, and every successful write is durable.
type Shelf interface {
	// PutLetters stores those of up to 1000 letters that are not there yet, as
	// they are, and returns how many this call stored. Letters arrive in the order
	// given, and those of one call are neighbours in it.
	PutLetters(ctx context.Context, ls []push.Letter) (int, error)
	// Letter returns one letter, or push.ErrNotFound.
	Letter(ctx context.Context, id push.ID) (push.Letter, error)
	// Letters lists letters in the order of arrival or, unless the filter asks for
	// OldestFirst, in reverse. cursor is "" or what the last call with the same
	// filter returned; "" comes back at the end; any other is push.ErrCursor. limit
	// is 1..1000. A page may have fewer letters, also none, and be followed by
	// others: searching for text reads only so many letters a call.
	Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error)
	// LetterGroups counts the letters that the filter takes by fingerprint, tenant
	// and queue, in no particular order. A filter for which GroupsOnly is true
	// costs O(groups) and shows letters in every state of the groups that have any
	// in the filter's states; any other reads the letters and shows what it takes.
	// FirstDeadAt and LastDeadAt may span letters that are gone by now.
	//
	// On a store without transactions over items a group's numbers are a record of
	// its own, and may trail the letters by what a crash cut short.
	LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error)
}

// Mover changes dead letters.
type Mover interface {
	// MoveLetters applies up to 1000 moves as push.Letter.Moved defines them, each
	// on its own and in order, and tells for each whether it was made. On an error
	// some may have been made.
	MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error)
	// LetterTally counts the letters that a replay claimed last.
	LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error)
	// PurgeLetters removes up to limit letters that were replayed or discarded
	// before the given time, and returns how many.
	PurgeLetters(ctx context.Context, before time.Time, limit int) (int, error)
}

// Letters is the dead-letter store.
type Letters interface {
	Shelf
	Mover
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

// Screen says why recipients may not be sent to now, without sending: parallel
// to rs (up to 1000), push.CodeOpen where nothing stands against it, otherwise a
// code of class suppressed.
type Screen interface {
	Screen(ctx context.Context, tenant string, rs []push.Recipient) ([]push.Code, error)
}

// Breakers tells whether sends of an app are held back now.
type Breakers interface {
	// OpenSince returns since when the app's breaker holds sends back, as far as is
	// known; the zero time if it does not.
	OpenSince(ctx context.Context, app string) (time.Time, error)
}

// Publisher takes events for whoever listens.
type Publisher interface {
	Publish(ctx context.Context, events []wire.Event) error
}
