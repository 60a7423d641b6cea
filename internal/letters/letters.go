// Package letters is the store of dead letters: recipients and messages that could not be
// delivered or understood wait here for an operator, with their story.
//
//	drain     moves letters from the dead-letter queues into the store, and takes
//	          apart those that older versions wrapped in one another
//	groups    shows them by cause; list, get and stats show them one by one
//	discard   gives letters up, with a reason; retention does so with old letters
//	export    and import carry them between stores
//
// Package replay predicts what sending them again would come to, and sends them. This room
// never deletes a queue message before its letter is stored.
package letters

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/worker"
)

// Errors that callers tell apart.
var (
	// ErrNothing says that no letter matches, so that there is nothing to do.
	ErrNothing = errors.New("no dead letter matches")
	// ErrStale says that the letters have changed since they were simulated or shown.
	ErrStale = errors.New("out of date")
	// ErrUnbounded says that a filter matches every letter and "all" was not given.
	ErrUnbounded = errors.New("filter takes every letter")
	// ErrArchive says that the input is no whole archive of Belfry's.
	ErrArchive = errors.New("not an archive of dead letters")
)

// Config is what the room is built from.
type Config struct {
	Letters       Store
	Notifications Notifications
	Lines         Lines
	Documents     document.Store // the retention policy that is applied
	Plans         Plans          // nil: nothing that came in by the events queue is believed to be of another

	Dead map[string]worker.Queue // dead-letter queues, by the names of their source queues

	App      string // FCM project of this installation's credential
	Software string // version of this program

	Loops     int // receive loops per dead-letter queue, from 1; 0 means 4
	Retention Retention

	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
}

// Room keeps dead letters. Safe for concurrent use, also by several processes on
// one store.
type Room struct {
	cfg   Config
	heads *heads
}

// New returns the room, or an error that names every missing part.
func New(cfg Config) (*Room, error) {
	var faults []error
	need := func(name string, there bool) {
		if !there {
			faults = append(faults, fmt.Errorf("letters: %s is required", name))
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
	if cfg.Loops == 0 {
		const loops = 4
		cfg.Loops = loops
	}
	return &Room{cfg: cfg, heads: newHeads(cfg.Notifications)}, nil
}

// pageSize is how many letters are in hand at once: what bounds the memory of
// every operation, whatever the number of letters.
const pageSize = 500

// now is the present to the precision that every store keeps.
func (r *Room) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }
