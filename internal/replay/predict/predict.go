// Package predict says what would happen to dead letters if they were replayed now. A
// simulation looks at a set of letters and keeps the result; a replay examines the same
// letters again before it sends them. A prediction rests on the ledger, the notification,
// the device and the provider, in this order. The package sends nothing.
package predict

import (
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
)

// Config is what the room is built from.
type Config struct {
	Keeper        Keeper
	Letters       Letters
	Notifications Notifications
	Lines         Lines
	Documents     document.Store // simulations
	// Queues are the names of the source queues: a message of another queue cannot be sent.
	Queues []string

	Screens  []Screen // asked in order; the first that objects decides
	Breakers Breakers // nil: not predicted

	Software string // version of this program

	Concurrency int // heads and ledger lines in hand at once, from 1; 0 means 16
	// Capacity is the rate, in letters per second, that estimates assume when a
	// replay is not limited; 0 means 1,000.
	Capacity float64
	// CostPerSend is what one send costs, in US dollars, for estimates.
	CostPerSend float64

	Now func() time.Time
}

// Room predicts what a replay would come to. Safe for concurrent use, also
// by several processes on one store.
type Room struct{ cfg Config }

// New returns the room, or an error that names every missing part.
func New(cfg Config) (*Room, error) {
	var faults []error
	need := func(name string, there bool) {
		if !there {
			faults = append(faults, fmt.Errorf("predict: %s is required", name))
		}
	}
	need("Keeper", cfg.Keeper != nil)
	need("Letters", cfg.Letters != nil)
	need("Notifications", cfg.Notifications != nil)
	need("Lines", cfg.Lines != nil)
	need("Documents", cfg.Documents != nil)
	need("Now", cfg.Now != nil)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	const concurrency, capacity = 16, 1000
	if cfg.Concurrency == 0 {
		cfg.Concurrency = concurrency
	}
	if cfg.Capacity == 0 {
		cfg.Capacity = capacity
	}
	return &Room{cfg: cfg}, nil
}

// pageSize is how many letters are in hand at once: what bounds the memory of a
// simulation, whatever the number of letters.
const pageSize = 500

// now is the present to the precision that every store keeps.
func (r *Room) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }
