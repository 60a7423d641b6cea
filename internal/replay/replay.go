// Package replay is the room of dead letters: what could not be delivered or
// understood waits here for an operator, with its story.
//
//	drain     moves letters from the dead-letter queues into the store, and takes
//	          apart those that older versions wrapped in one another
//	groups    shows them by cause; list, get and stats show them one by one
//	simulate  says, against the present state, what a replay would do
//	run       replays: a canary first, then the rest, watching what comes of it
//	execute   runs what nobody runs: what was started elsewhere, or died
//	discard   gives letters up, with a reason; export and import carry them
//
// A letter of a recipient is not sent by this room. Its cell in the chunk's
// ledger line is opened again, and a chunk message of just such cells goes to
// the replay lane, where deliver treats it as any other. The line is what makes
// that safe: a cell that has been delivered can't be opened, and of two replays
// of one line the store lets one win.
//
// The room never deletes what it has not stored, and never calls FCM.
package replay

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Errors that callers tell apart.
var (
	// ErrNothing says that no letter matches, so that there is nothing to do.
	ErrNothing = errors.New("no dead letter matches")
	// ErrStale says that the letters are no longer what was simulated or shown.
	ErrStale = errors.New("out of date")
	// ErrUnbounded says that a filter takes every letter and nobody said "all".
	ErrUnbounded = errors.New("filter takes every letter")
	// ErrArchive says that what is to be imported is no whole archive of ours.
	ErrArchive = errors.New("not an archive of dead letters")
	// ErrTakenOver says that another process executes the replay now.
	ErrTakenOver = errors.New("replay is executed by another process")
)

// Config is what the room is built from.
type Config struct {
	Letters       Letters
	Notifications Notifications
	Lines         Lines
	Documents     document.Store // simulations and runs
	Plans         Plans          // nil: nothing that came in by the events queue is believed to be of another

	Dead    map[string]worker.Queue // dead-letter queues, by the names of their source queues
	Sources map[string]worker.Sink  // source queues by name, for what goes back to them

	Screens  []Screen  // asked in order; the first that objects decides
	Breakers Breakers  // nil: not predicted
	Events   Publisher // nil: nobody listens

	App      string // FCM project of this installation's credential
	Software string // version of this program
	Owner    string // names this process in runs; unique per start

	Loops       int // receive loops per dead-letter queue, from 1; 0 means 4
	Concurrency int // ledger lines in hand at once, from 1; 0 means 16
	// Patience is how many failed pages in a row a run waits out before it gives
	// up; 0: none.
	Patience int
	// Capacity is the rate, in letters per second, that estimates assume when a
	// replay is not limited; 0 means 1,000.
	Capacity float64
	// CostPerSend is what one send costs, in US dollars, for estimates.
	CostPerSend float64
	Retention   Retention

	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
}

// Room keeps dead letters and replays them. Safe for concurrent use, also by
// several processes on one store.
type Room struct {
	Config

	heads *heads
	wake  chan struct{} // tells this process's executor that there is a run to execute
}

// New returns the room, or an error that names every missing part.
func New(cfg Config) (*Room, error) {
	var faults []error
	need := func(name string, there bool) {
		if !there {
			faults = append(faults, fmt.Errorf("replay: %s is required", name))
		}
	}
	need("Letters", cfg.Letters != nil)
	need("Notifications", cfg.Notifications != nil)
	need("Lines", cfg.Lines != nil)
	need("Documents", cfg.Documents != nil)
	need("Log", cfg.Log != nil)
	need("Metrics", cfg.Metrics != nil)
	need("Now", cfg.Now != nil)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	const loops, concurrency, capacity = 4, 16, 1000
	if cfg.Loops == 0 {
		cfg.Loops = loops
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = concurrency
	}
	if cfg.Capacity == 0 {
		cfg.Capacity = capacity
	}
	return &Room{Config: cfg, heads: newHeads(cfg.Notifications), wake: make(chan struct{}, 1)}, nil
}

// pageSize is how many letters are in hand at once: what bounds the memory of
// every operation, whatever the number of letters.
const pageSize = 500

// now is the present to the precision that every store keeps.
func (r *Room) now() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

// parked restricts a filter to letters that wait.
func parked(f push.LetterFilter) push.LetterFilter {
	f.States = []push.LetterState{push.LetterParked}
	f.OldestFirst = true
	return f
}
