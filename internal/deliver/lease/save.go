package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// A write of a line that fails is repeated before the chunk is given back: FCM's
// answers are in memory only, the queue message stays invisible meanwhile, and
// without the ledger there is nothing better to do.
const (
	// saveFor is how long results stay in memory while the ledger does not take
	// them. After that the chunk goes back to the queue, and the recipients it had
	// sent to are sent to again, flagged.
	saveFor = time.Minute
	// claimFor is the same for a claim, under which nothing was sent yet.
	claimFor = 10 * time.Second
	// saveOnce bounds one try; the driver's own tries are within.
	saveOnce = 5 * time.Second

	// The pauses between tries double, with full jitter.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// Grace bounds each of the calls that end a turn, and what is still written after
// the process was told to end.
const Grace = 10 * time.Second

// Save is one write of a line, and how it ended.
type Save struct {
	by       *Leases
	about    func() zap.Field // for lines of the log
	line     ledger.Line
	from     int64 // the epoch that it replaces
	attempts []ledger.Attempt
	patience time.Duration
	begun    clock.Moment
	err      error
}

// Write repeats the write until one of these is known: it is stored; the line is
// somebody else's (ledger.ErrFenced); its patience is over; or ctx ended Grace ago.
// In the last two cases the line may be stored or not. The save counts from its
// first try, because nobody else has taken the line before that.
//
// It touches nothing of the lease, so it may run beside the lease's goroutine.
func (s *Save) Write(ctx context.Context) {
	ls := s.by
	s.begun = ls.Moment()
	until, ended := s.begun.Elapsed+s.patience, ctx.Done()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if s.err = ls.storeOnce(ctx, s); s.err == nil || errors.Is(s.err, ledger.ErrFenced) {
			return
		}
		if ls.Failed.Inc(); pause == firstPause {
			ls.Log.Warn("the ledger did not take what is known of a chunk; trying again", s.about(), zap.Error(s.err))
		}
		t := time.NewTimer(ls.Jitter(pause))
		select {
		case <-t.C:
		case <-ended:
			ended, until = nil, min(until, ls.elapsed()+Grace)
			t.Stop()
		}
		if ls.elapsed() >= until {
			return
		}
	}
}

// storeOnce tries a save once. If the stored line is not the one that was read, an
// earlier try may have written it, whose answer got lost: then all is well.
//
// The write is finished even if ctx ends now: the line is this owner's, and every
// checkpoint that is saved avoids a repeat.
func (ls *Leases) storeOnce(ctx context.Context, s *Save) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveOnce)
	defer cancel()
	begun := ls.elapsed()
	fenced := ls.Lines.SaveLine(ctx, s.line, s.from, s.attempts)
	if fenced == nil {
		ls.Wrote(ls.elapsed() - begun)
	}
	if !errors.Is(fenced, ledger.ErrFenced) {
		return fenced
	}
	stored, err := ls.Lines.Line(ctx, s.line.Ref)
	switch {
	case errors.Is(err, push.ErrNotFound):
		return fenced
	case err != nil:
		return fmt.Errorf("find out who wrote the line: %w", err)
	case isSame(&stored, &s.line):
		return nil
	}
	return fenced
}

// isSame reports whether the stored line is the very write that was asked for.
func isSame(stored, line *ledger.Line) bool {
	return stored.Epoch == line.Epoch && stored.Owner == line.Owner && stored.State == line.State && stored.Turn == line.Turn &&
		stored.UpdatedAt.Equal(line.UpdatedAt) && slices.Equal(stored.Cells, line.Cells)
}
