package httpapi

import (
	"context"
	"errors"
	"io"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

// Letters shows dead letters. What does not exist is push.ErrNotFound, and a
// cursor that no listing gave push.ErrCursor.
type Letters interface {
	List(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error)
	Get(ctx context.Context, id push.ID) (replay.Detail, error)
	Groups(ctx context.Context, f push.LetterFilter) ([]replay.Group, error)
	Stats(ctx context.Context, f push.LetterFilter) (replay.Stats, error)
	// Expiring tells what of the filter's letters retention soon gives up.
	Expiring(ctx context.Context, f push.LetterFilter) (replay.Expiry, error)
}

// Archive carries letters between stores.
type Archive interface {
	// Export writes an archive compressed with zstd, ExportPlain one that isn't.
	Export(ctx context.Context, f push.LetterFilter, w io.Writer) (int64, error)
	ExportPlain(ctx context.Context, f push.LetterFilter, w io.Writer) (int64, error)
	// Import stores what is not there yet. With an error, the result still says
	// what was stored.
	Import(ctx context.Context, in io.Reader) (replay.Imported, error)
}

// Simulations say what would become of letters. Errors are push.Faults,
// replay.ErrUnbounded, replay.ErrNothing and replay.ErrStale.
type Simulations interface {
	Simulate(ctx context.Context, req replay.SimulateRequest) (replay.Simulation, error)
	Simulated(ctx context.Context, id push.ID) (replay.Simulation, error)
	Discard(ctx context.Context, req replay.DiscardRequest) (int64, error)
}

// Replays are controlled here and executed elsewhere. An operation that is
// illegal in the present state is a *push.StateError.
type Replays interface {
	Start(ctx context.Context, req replay.StartRequest) (replay.Run, error)
	Status(ctx context.Context, id push.ID) (replay.Status, error)
	Runs(ctx context.Context, cursor string, limit int) ([]replay.Run, string, error)
	Pause(ctx context.Context, id push.ID, by string) (replay.Run, error)
	Resume(ctx context.Context, id push.ID, by string) (replay.Run, error)
	Cancel(ctx context.Context, id push.ID, by string) (replay.Run, error)
}

// DeadLetters is what the door uses of the room of dead letters.
type DeadLetters interface {
	Letters
	Archive
	Simulations
	Replays
}

var _ DeadLetters = (*replay.Room)(nil)

// ofLetters maps what the room of dead letters returns; nil for anything else.
func ofLetters(err error) *refusal {
	switch {
	case errors.Is(err, replay.ErrNothing):
		return refuse(codeNothing, "%s", err.Error())
	case errors.Is(err, replay.ErrUnbounded):
		return refuse(codeUnbounded, "give a filter, or say all: true for every letter")
	case errors.Is(err, replay.ErrStale):
		return refuse(codeStale, "%s", err.Error())
	case errors.Is(err, replay.ErrArchive):
		return refuse(codeArchive, "%s", err.Error())
	}
	return nil
}
