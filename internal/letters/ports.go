package letters

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the dead-letter store. Implementations are safe for concurrent use by
// several processes, and every successful write is durable.
type Store interface {
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
	// MoveLetters applies up to 1000 moves as push.Letter.Moved defines them, each
	// on its own and in order, and tells for each whether it was made. On an error
	// some may have been made.
	MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error)
	// EraseLetter applies change to a letter as it is stored, and stores what that makes of its
	// recipient, body and detail. change may run several times. The letter's version grows by one.
	// Without the letter it changes nothing.
	EraseLetter(ctx context.Context, id push.ID, change func(l *push.Letter)) error
	// PurgeLetters removes up to limit letters that were replayed or discarded
	// before the given time, and returns how many.
	PurgeLetters(ctx context.Context, before time.Time, limit int) (int, error)
}

// Notifications are the heads of what letters belong to.
type Notifications interface {
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
}

// Lines are the chunks' ledger lines.
type Lines interface {
	// Line returns a chunk's line or push.ErrNotFound.
	Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error)
	// Attempts returns the evidence of a chunk in the order in which it was saved.
	Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error)
}

// Plans are the plans of notifications: who the recipients of a chunk are.
type Plans interface {
	// Plans returns up to limit plans of a notification with sequence >= from, ascending.
	Plans(ctx context.Context, id push.ID, from, limit int) ([]ledger.Plan, error)
}
