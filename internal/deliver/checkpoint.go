package deliver

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
)

// due tells whether a checkpoint should begin now. None is written under a claim
// that is lost or in doubt: settle finds out.
func (w *window) due(ticked bool) bool {
	if w.saving != nil || w.why == stopLedger {
		return false
	}
	return w.starving && w.why == stopNone || w.dueByCount() || ticked && w.dueByTime()
}

// dueByCount tells whether enough results wait for a checkpoint. What the last
// results of a chunk come to is left to settle, which closes the line.
func (w *window) dueByCount() bool { return w.unsaved >= checkpointResults && w.more() }

// dueByTime tells whether results have waited long enough; it is asked every
// checkpointEvery. While the last requests are under way it takes a full
// interval since the last checkpoint, so that a chunk whose answers come at the
// usual speed costs no write more. A line that nothing is learnt about is written
// as well, before others take its owner for dead.
func (w *window) dueByTime() bool {
	since := w.d.Elapsed() - w.j.savedAt
	switch {
	case w.unsaved > 0 && w.more():
		return true
	case w.unsaved > 0:
		return w.flying() > 0 && since >= checkpointEvery
	default:
		return (w.flying() > 0 || w.more()) && since >= ledger.FreshFor/2
	}
}

// checkpoint starts writing the line.
func (w *window) checkpoint(ctx context.Context) {
	covers := w.reserve()
	line := w.j.line
	line.Cells = append(line.Cells[:0:0], line.Cells...)
	line.UpdatedAt = w.d.stamp()
	line.Epoch = w.j.base + 1
	attempts := w.j.attempts
	w.j.attempts = nil
	w.unsaved, w.j.savedAt = 0, w.d.Elapsed()
	done := make(chan saved, 1)
	w.saving = done
	from := w.j.base
	go func() {
		begun, err := w.d.store(ctx, line, from, attempts, saveFor)
		done <- saved{line, attempts, covers, begun, err}
	}()
}

// reserve sets what the next checkpoint reserves, and returns how many positions
// that covers: the rows under way, the one that waits for it, and what will be
// sent until the checkpoint after that. That is what the pace says, or as many as
// are under way: their answers, should they come together, let as many others go,
// and so no more than half of what is flagged after a crash was not sent. What was
// reserved before and is not needed at this pace is given back: it is taken from
// the senders first, then from the ledger.
func (w *window) reserve() (covers int) {
	left := w.issued()
	w.speed.look(left, w.d.Elapsed())
	w.mu.Lock()
	defer w.mu.Unlock()
	covers = w.left
	if w.why == stopNone && w.left < len(w.order) {
		covers += max(w.d.pace.ahead(w.speed.perSecond), min(w.left-w.taken, checkpointResults))
		if w.starving {
			covers = max(covers, w.left+1)
		}
	}
	covers = min(covers, len(w.order))
	w.covered = min(w.covered, covers)
	from, to := 0, 0
	if w.lowest < covers {
		from, to = w.cell(w.lowest), w.cell(covers-1)+1
	}
	w.j.line.Reserve(from, to)
	return covers
}

// cell returns the cell of the row at a position.
func (w *window) cell(place int) int { return w.j.chunk.Index[w.order[place]] }

// saved takes note of how a checkpoint ended; it returns the error of a lost
// claim. A ledger that stayed away stops the sending, and settle tries once more
// to write what is known.
func (w *window) saved(s saved) error {
	w.saving, w.starving = nil, false
	switch {
	case errors.Is(s.err, ledger.ErrFenced):
		return s.err
	case s.err != nil:
		w.d.Log.Warn("checkpoint failed; ending the turn", zap.Stringer("chunk", w.j.chunk.Ref), zap.Error(s.err))
		w.j.unsure = &s
		w.j.retry.later(w.d.in(retryPause))
		w.halt(stopLedger)
	default:
		w.stored(s)
	}
	return nil
}

// stored takes note of a checkpoint that the ledger has: the next row may look
// whether it is covered now.
func (w *window) stored(s saved) {
	w.j.base = s.line.Epoch
	w.d.confirm(w.j, s.begun)
	w.mu.Lock()
	w.covered = s.covers
	w.mu.Unlock()
	if w.late++; w.d.holds(w.j) {
		w.late = 0
	}
	if w.late >= latest {
		w.j.retry.postpone(w.d.in(retryPause))
		w.halt(stopDeferred)
	}
	select {
	case w.renewed <- struct{}{}:
	default:
	}
}

// latest is how many checkpoints in a row may take longer than a claim holds
// before the chunk goes back: the ledger is too slow to send under it.
const latest = 3
