package deliver

import (
	"context"

	"github.com/belfry-push/belfry/internal/ledger"
)

// due reports whether a checkpoint should begin now. None is written under a claim that
// is lost or in doubt: settling finds out which.
func (w *window) due(ticked bool) bool {
	if w.saving != nil || w.why == stopLedger {
		return false
	}
	return w.urgent || w.blocked && w.why == stopNone || w.dueByCount() || ticked && w.dueByTime()
}

// dueByCount reports whether enough results wait for a checkpoint. The last results of
// a chunk are left to settling, which closes the line.
func (w *window) dueByCount() bool { return w.unsaved >= checkpointResults && w.more() }

// dueByTime reports whether results have waited long enough; it is asked every
// checkpointEvery. While only the last requests are under way, a full interval must
// have passed since the last checkpoint, so that a chunk whose answers come at the usual
// speed costs no additional write. A line without new results is written as well, before
// others take its owner for dead.
func (w *window) dueByTime() bool {
	since := w.q.elapsed() - w.j.lease.SavedAt()
	switch {
	case w.unsaved > 0 && w.more():
		return true
	case w.unsaved > 0:
		return w.underWay() > 0 && since >= checkpointEvery
	default:
		return (w.underWay() > 0 || w.more()) && since >= ledger.FreshFor/2
	}
}

// checkpoint starts writing the line.
func (w *window) checkpoint(ctx context.Context) {
	covers := w.reserve()
	s := w.j.lease.Checkpoint()
	w.unsaved, w.urgent = 0, false
	done := make(chan saved, 1)
	w.saving = done
	go func() {
		s.Write(ctx)
		done <- saved{s, covers}
	}()
}

// reserve sets what the next checkpoint reserves, and returns how many positions that
// covers: the rows under way, the row that waits for it, and the rows that will be sent
// until the checkpoint after that. Those are as many as the pace says, or as many as are
// under way: if the answers come together, as many others are sent at once. So at most
// half of what is flagged after a crash was not sent. A reservation that is not needed
// at this pace is given back: first the senders lose it, then the ledger.
func (w *window) reserve() (covers int) {
	left := w.issued()
	perSecond := w.speed.Look(left, w.q.elapsed())
	w.mu.Lock()
	defer w.mu.Unlock()
	covers = w.left
	if w.why == stopNone && w.left < len(w.order) {
		covers += max(w.q.pace.Ahead(perSecond), min(w.left-w.taken, checkpointResults))
		if w.blocked {
			covers = max(covers, w.left+1)
		}
	}
	covers = min(covers, len(w.order))
	w.covered = min(w.covered, covers)
	from, to := 0, 0
	if w.lowest < covers {
		from, to = w.cell(w.lowest), w.cell(covers-1)+1
	}
	w.j.lease.Line.Reserve(from, to)
	return covers
}

// cell returns the cell of the row at a position.
func (w *window) cell(place int) int { return w.j.chunk.Index[w.order[place]] }

// saved takes note of how a checkpoint ended; it returns an error if the claim is lost.
// A ledger that stayed away stops the sending, and settling tries once more to write
// what is known.
func (w *window) saved(s saved) error {
	w.saving, w.blocked = nil, false
	kept, lost := w.j.lease.Ended(s.Save)
	switch {
	case kept:
		w.stored(s.covers)
	case lost == nil:
		w.j.retry.later(w.q.in(retryPause))
		w.halt(stopLedger)
	}
	return lost
}

// stored takes note of a stored checkpoint that covers so many positions, and lets the
// next row look whether it is one of them.
func (w *window) stored(covers int) {
	w.mu.Lock()
	w.covered = covers
	w.mu.Unlock()
	if w.late++; w.j.lease.Holds() {
		w.late = 0
	}
	if w.late >= latest {
		w.j.retry.postpone(w.q.in(retryPause))
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
