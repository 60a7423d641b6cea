// Package replay sends dead letters again.
//
//	run       replays: a canary first, then the rest, watching what comes of it
//	execute   runs what nobody runs: what was started elsewhere, or died
//	late      finds what a queue lost of them, and sends it anew
//
// Package predict says what a replay would come to, before and during it, and
// package letters keeps the letters. A letter of a recipient is not sent by this
// room. Its cell in the chunk's ledger line is opened again, and
// a chunk message of just such cells goes to the replay lane, where deliver treats
// it as any other. The line is what makes that safe: a cell that has been delivered
// can't be opened, and of two replays of one line the store lets one win.
//
// The room never calls FCM. It has some 2,700 lines: a run and what finds its lost
// messages share the marks in the ledger by which both know what was sent, and apart
// they would both have to export them.
package replay

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/worker"
)

// ErrTakenOver says that another process executes the replay now.
var ErrTakenOver = errors.New("replay is executed by another process")

// Config is what the room is built from.
type Config struct {
	Predict       *predict.Room // tells what to send
	Keeper        Keeper
	Letters       Letters
	Notifications Notifications
	Lines         Lines
	Documents     document.Store // runs

	Sources map[string]worker.Sink // source queues by name, for what goes back to them
	Events  Publisher              // nil: nobody listens

	Owner string // names this process in runs; unique per start

	Concurrency int // ledger lines in hand at once, from 1; 0 means 16
	// Patience is how many failed pages in a row a run waits out before it gives
	// up; 0: none.
	Patience int

	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
	Tracer  *trace.Tracer // nil: nobody sees spans
}

// Room replays dead letters. Safe for concurrent use, also by
// several processes on one store.
type Room struct {
	cfg  Config
	wake chan struct{} // tells this process's executor that there is a run to execute
}

// New returns the room, or an error that names every missing part.
func New(cfg Config) (*Room, error) {
	var faults []error
	need := func(name string, there bool) {
		if !there {
			faults = append(faults, fmt.Errorf("replay: %s is required", name))
		}
	}
	need("Predict", cfg.Predict != nil)
	need("Keeper", cfg.Keeper != nil)
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
	const concurrency = 16
	if cfg.Concurrency == 0 {
		cfg.Concurrency = concurrency
	}
	return &Room{cfg: cfg, wake: make(chan struct{}, 1)}, nil
}

// pageSize is how many letters are in hand at once: what bounds the memory of
// every operation, whatever the number of letters.
const pageSize = 500

// maxPage is how many letters are examined and moved at once.
const maxPage = 1000

// now is the present to the precision that every store keeps.
func (r *Room) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }
