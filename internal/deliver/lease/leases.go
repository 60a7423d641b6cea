package lease

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Lines are the chunks' ledger lines.
type Lines interface {
	Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error)
	SaveLine(ctx context.Context, line ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error
}

// Leases is what all leases of a process and lane share: the ledger, the clocks,
// and the claims in hand. All fields are required. Safe for concurrent use.
type Leases struct {
	Process string // the first part of every owner's name; unique per start
	Lines   Lines
	Moment  func() clock.Moment                     // now, by both clocks
	Jitter  func(below time.Duration) time.Duration // a random time below a bound
	Wrote   func(took time.Duration)                // is told how long a write took
	Failed  prometheus.Counter                      // counts writes that failed
	Log     *zap.Logger

	claims claims
}

// New returns a lease of which nothing is read yet. about says what its lines of the log are about; it is called when there is
// one.
func (ls *Leases) New(about func() zap.Field) *Lease { return &Lease{by: ls, about: about} }

func (ls *Leases) elapsed() time.Duration { return ls.Moment().Elapsed }

// stamp returns the time of a write, as exactly as every store keeps it.
func (ls *Leases) stamp() time.Time { return ls.Moment().Wall.UTC().Truncate(time.Microsecond) }
