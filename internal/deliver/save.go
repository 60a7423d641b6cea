package deliver

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

// A write of a line that fails is made again and again before the chunk is given
// back: what FCM has answered is in memory only, the queue message is kept
// invisible meanwhile, and without the ledger there is nothing better to do.
const (
	// saveFor is how long results are kept in memory for a ledger that does not
	// take them. After that the chunk goes back to the queue, and whom it had sent
	// to is sent to again, flagged.
	saveFor = time.Minute
	// claimFor is the same for a claim, under which nothing was sent yet.
	claimFor = 10 * time.Second
	// saveOnce bounds one try; the driver's own tries are within.
	saveOnce = 5 * time.Second
	// settleGrace bounds the other calls that end a turn, each, and what is still
	// written after the process was told to end.
	settleGrace = 10 * time.Second

	// The pauses between tries, doubling, with full jitter.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// store writes a line until it is known to be written, or to be somebody else's
// (ledger.ErrFenced), or patience is over, or ctx has ended settleGrace ago; then
// it may have been written or not. It returns when the write that counts was
// begun, at the earliest: nobody else has taken the line before.
func (d *Deliver) store(ctx context.Context, line ledger.Line, from int64, attempts []ledger.Attempt, patience time.Duration) (clock.Moment, error) {
	begun := d.moment()
	until, ended := begun.Elapsed+patience, ctx.Done()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := d.storeOnce(ctx, line, from, attempts)
		if err == nil || errors.Is(err, ledger.ErrFenced) {
			return begun, err
		}
		if d.Metrics.unsaved.Inc(); pause == firstPause {
			d.Log.Warn("the ledger did not take what is known of a chunk; trying again", zap.Stringer("chunk", line.Ref), zap.Error(err))
		}
		t := time.NewTimer(d.jitter(pause))
		select {
		case <-t.C:
		case <-ended:
			ended, until = nil, min(until, d.Elapsed()+settleGrace)
			t.Stop()
		}
		if d.Elapsed() >= until {
			return begun, err
		}
	}
}

// storeOnce writes a line once. That the line is not as it was read may come of
// an earlier try, whose answer got lost: then it is as it should be.
//
// The write is finished even if ctx ends now: it is this owner's, and every
// checkpoint saved is a repeat avoided.
func (d *Deliver) storeOnce(ctx context.Context, line ledger.Line, from int64, attempts []ledger.Attempt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveOnce)
	defer cancel()
	begun := d.Elapsed()
	fenced := d.Lines.SaveLine(ctx, line, from, attempts)
	if fenced == nil {
		d.pace.wrote(d.Elapsed() - begun)
	}
	if !errors.Is(fenced, ledger.ErrFenced) {
		return fenced
	}
	stored, err := d.Lines.Line(ctx, line.Ref)
	switch {
	case errors.Is(err, push.ErrNotFound):
		return fenced
	case err != nil:
		return fmt.Errorf("find out who wrote the line: %w", err)
	case isSame(&stored, &line):
		return nil
	}
	return fenced
}

// shortly returns a context for what ends a turn: it outlives ctx, by
// settleGrace at most.
func shortly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleGrace)
}

// isSame tells whether the stored line is the very write that was asked for.
func isSame(stored, line *ledger.Line) bool {
	return stored.Epoch == line.Epoch && stored.Owner == line.Owner && stored.State == line.State && stored.Turn == line.Turn &&
		stored.UpdatedAt.Equal(line.UpdatedAt) && slices.Equal(stored.Cells, line.Cells)
}

// stamp is the time of a write, as exactly as every store keeps it.
func (d *Deliver) stamp() time.Time { return d.Now().UTC().Truncate(time.Microsecond) }

// jitter returns a random part of a pause.
func (d *Deliver) jitter(pause time.Duration) time.Duration {
	d.rand.Lock()
	defer d.rand.Unlock()
	return time.Duration(d.Rand.Int64N(int64(pause)))
}

func wait(ctx context.Context, pause time.Duration) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
