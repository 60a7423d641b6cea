// Package deadletters serves dead letters, simulations and replays over HTTP. It
// bounds what a caller sees to its own tenant, unless it is the operator, and leaves
// everything else to the rooms of letters and replays.
package deadletters

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// Letters is the room of dead letters. A letter that does not exist is push.ErrNotFound, and
// a cursor that no listing returned is push.ErrCursor.
type Letters interface {
	List(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error)
	Groups(ctx context.Context, f push.LetterFilter) ([]letters.Group, error)
	// AddSources fills in what is behind the first groups, Sources says it of a whole filter.
	AddSources(ctx context.Context, f push.LetterFilter, groups []letters.Group) error
	Sources(ctx context.Context, f push.LetterFilter) (letters.Sources, error)
	Stats(ctx context.Context, f push.LetterFilter) (letters.Stats, error)
	// Expiring returns which of the filter's letters retention will soon give up.
	Expiring(ctx context.Context, f push.LetterFilter) (letters.Expiry, error)
	// DrainFor moves the messages of the dead-letter queues into the store, for so long.
	DrainFor(ctx context.Context, most time.Duration) (letters.Drained, error)
	// Discard gives letters up. Errors are push.Faults, letters.ErrUnbounded,
	// letters.ErrNothing and letters.ErrStale.
	Discard(ctx context.Context, req letters.DiscardRequest) (int64, error)
	// Export writes an archive compressed with zstd, ExportPlain one that isn't.
	Export(ctx context.Context, f push.LetterFilter, w io.Writer) (int64, error)
	ExportPlain(ctx context.Context, f push.LetterFilter, w io.Writer) (int64, error)
	// Import stores the letters that are not in the store yet. With an error, the result
	// still says how many were stored.
	Import(ctx context.Context, in io.Reader) (letters.Imported, error)
}

// Replays predicts what a replay would do, and controls replays; they are executed
// elsewhere. Errors are push.Faults, push.ErrNotFound, letters.ErrUnbounded,
// letters.ErrNothing and letters.ErrStale; an operation that is illegal in the
// present state is a *push.StateError.
type Replays interface {
	// Detail returns one letter with what a replay would come to.
	Detail(ctx context.Context, id push.ID) (replay.Detail, error)
	Simulate(ctx context.Context, req predict.SimulateRequest) (predict.Simulation, error)
	Simulated(ctx context.Context, id push.ID) (predict.Simulation, error)
	Start(ctx context.Context, req replay.StartRequest) (replay.Run, error)
	Status(ctx context.Context, id push.ID) (replay.Status, error)
	Runs(ctx context.Context, cursor string, limit int) ([]replay.Run, string, error)
	Pause(ctx context.Context, id push.ID, by string) (replay.Run, error)
	Resume(ctx context.Context, id push.ID, by string) (replay.Run, error)
	Cancel(ctx context.Context, id push.ID, by string) (replay.Run, error)
}

var (
	_ Letters = (*letters.Room)(nil)
	_ Replays = (*replay.Room)(nil)
)

// Refusal maps errors of the rooms of dead letters to refusals; nil for any other error.
func Refusal(err error) *door.RefusalError {
	switch {
	case errors.Is(err, letters.ErrNothing):
		return door.Refuse(door.CodeNothing, "%s", err.Error())
	case errors.Is(err, letters.ErrUnbounded):
		return door.Refuse(door.CodeUnbounded, "give a filter, or say all: true for every letter")
	case errors.Is(err, letters.ErrStale):
		return door.Refuse(door.CodeStale, "%s", err.Error())
	case errors.Is(err, letters.ErrArchive):
		return door.Refuse(door.CodeArchive, "%s", err.Error())
	}
	return nil
}
