package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Lost reports whether the message of a waiting ledger line is lost, by the queue that it
// was sent to and the times at which the line was written and is due, zero for at once.
type Lost = func(ctx context.Context, queue string, written, due time.Time) (bool, error)

// Reconciler finds letters that were sent again and whose message the queue lost. Their
// lines are open, and nothing else moves them: the notification is finished, and only the
// run knows the edits and the deadline that the message held.
//
// It goes over the letters without an outcome of every run, whatever the run's state.
// Each line is written on condition of its epoch, and its new message has a higher turn,
// so neither the run's executor, nor a message that was only slow, nor a second reconciler
// does harm. The letters in hand belong to the run's executor; the reconciler finishes
// them if there is none, because the run is paused or has ended.
//
// A call reads a bounded number of letters, and the next call continues behind them. An
// ended run whose letters all have an outcome is not read again. Calls must not overlap.
type Reconciler struct {
	*Room

	ended   Ended
	most    int              // letters that a call reads
	done    map[push.ID]bool // runs that can't have anything to look at any more
	from    string           // cursor of the first page of runs that has others
	suspect time.Time
	pass    *pass // under way
}

// Ended is called with a line that a [Reconciler] ended without another send, as it was
// and as it is now.
type Ended = func(ctx context.Context, n *push.Notification, was, now *ledger.Line)

// NewReconciler returns a reconciler that has seen nothing yet; ended may be nil.
func (r *Room) NewReconciler(ended Ended) *Reconciler {
	return &Reconciler{Room: r, ended: ended, most: reconciled, done: map[push.ID]bool{}}
}

// pass is one pass over the letters of all runs.
type pass struct {
	before time.Time // letters that were sent again later are not looked at
	lost   Lost      // of this call
	run    push.ID   // where the pass stands, "" for the first
	cursor string    // of its letters
	parts  map[push.ChunkRef][]push.Letter
	budget int // letters that this call may still read
	chunks int // found lost in this call
}

const (
	// reconciled is how many letters a call reads at most: a few seconds' worth at
	// the janitor's pace.
	reconciled = 20 * pageSize
	// partly bounds the letters that are kept of lines with more letters further on: some
	// 20 MB.
	partly = 20_000
)

// errBudget says that a call has read enough.
var errBudget = errors.New("the rest is for the next call")

// Reconcile implements janitor.Replays.
func (r *Reconciler) Reconcile(ctx context.Context, before, suspect time.Time, lost Lost) (int, bool, error) {
	if !suspect.Equal(r.suspect) {
		r.suspect, r.pass = suspect, nil
	}
	if r.pass == nil {
		r.pass = &pass{before: before, parts: map[push.ChunkRef][]push.Letter{}}
	}
	p := r.pass
	p.lost, p.budget, p.chunks = lost, r.most, 0
	err := r.runs(ctx, p)
	switch {
	case errors.Is(err, errBudget):
		return p.chunks, false, nil
	case err != nil:
		r.pass = nil
		return p.chunks, false, fmt.Errorf("look for lost letters: %w", err)
	}
	r.pass = nil
	return p.chunks, true, nil
}

// runs goes over the runs, from where the pass stands.
func (r *Reconciler) runs(ctx context.Context, p *pass) error {
	settled := true // all of the pages so far
	for cursor := r.from; ; {
		runs, next, err := r.Runs(ctx, cursor, runPage)
		if err != nil {
			return err
		}
		for i := range runs {
			run := &runs[i]
			if !r.done[run.ID] && run.ID >= p.run {
				if err := r.one(ctx, run, p); err != nil {
					return err
				}
			}
			settled = settled && r.done[run.ID] && r.now().Sub(run.CreatedAt) >= settledFor
		}
		if cursor = next; cursor == "" {
			return nil
		}
		if settled {
			for i := range runs {
				delete(r.done, runs[i].ID)
			}
			r.from = next
		}
	}
}

// one looks after the letters of one run.
func (r *Reconciler) one(ctx context.Context, run *Run, p *pass) error {
	tally, err := r.cfg.Letters.LetterTally(ctx, run.ID)
	if err != nil {
		return fmt.Errorf("replay %s: %w", run.ID, err)
	}
	if tally.Replaying > 0 && run.State != RunRunning {
		if err := r.inHand(ctx, run, p); err != nil {
			return err
		}
	}
	if tally.Awaiting() == 0 {
		if tally.Replaying == 0 && run.State.Final() {
			r.done[run.ID] = true
		}
		return nil
	}
	if p.run != run.ID {
		p.run, p.cursor = run.ID, ""
		clear(p.parts)
	}
	f := push.LetterFilter{Replay: run.ID, Awaiting: true, MovedBefore: p.before, OldestFirst: true}
	for {
		if p.budget <= 0 {
			return errBudget
		}
		page, next, err := r.cfg.Letters.Letters(ctx, f, p.cursor, min(pageSize, p.budget))
		if err != nil {
			return fmt.Errorf("list letters without an outcome: %w", err)
		}
		p.budget -= max(1, len(page))
		if err := r.page(ctx, run, p, page); err != nil {
			return err
		}
		if p.cursor = next; next == "" {
			return nil
		}
	}
}

// inHand finishes what a run that nobody executes any more had in hand.
func (r *Reconciler) inHand(ctx context.Context, run *Run, p *pass) error {
	f := push.LetterFilter{Replay: run.ID, States: []push.LetterState{push.LetterReplaying}, MovedBefore: p.before}
	page, _, err := r.cfg.Letters.Letters(ctx, f, "", 1)
	if err != nil || len(page) == 0 {
		return err
	}
	e := &engine{Room: r.Room, run: *run}
	if err := e.recover(ctx); err != nil {
		return fmt.Errorf("finish what %s had in hand: %w", run.ID, err)
	}
	return nil
}

// page looks after the chunks of one page of letters: it writes outcomes that are known by
// now, and sends lost chunks anew, or ends them.
func (r *Reconciler) page(ctx context.Context, run *Run, p *pass, page []push.Letter) error {
	e := &engine{Room: r.Room, run: *run}
	lines, err := e.linesOf(ctx, page)
	if err != nil {
		return err
	}
	var refs []push.ChunkRef
	byRef := map[push.ChunkRef][]push.Letter{}
	for i := range page {
		ref := page[i].Ref()
		if byRef[ref] == nil {
			refs = append(refs, ref)
		}
		byRef[ref] = append(byRef[ref], page[i])
	}
	w := &anew{engine: e, pass: p, ended: r.ended}
	for _, ref := range refs {
		letters := append(p.parts[ref], byRef[ref]...)
		delete(p.parts, ref)
		if err := w.chunk(ctx, lines[ref], letters); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// keep remembers letters of a line that has more letters further on. If there are too
// many such lines, the last ones are left to a later pass, when the first are done.
func (p *pass) keep(ref push.ChunkRef, letters []push.Letter) {
	n := len(letters)
	for _, ls := range p.parts {
		n += len(ls)
	}
	if n <= partly {
		p.parts[ref] = letters
	}
}

// known divides letters into those whose cell has an outcome, as moves with it, and those
// whose cell is open.
func (e *engine) known(line *ledger.Line, letters []push.Letter) (moves []push.LetterMove, open []push.Letter) {
	for i := range letters {
		l := &letters[i]
		if l.Cell >= len(line.Cells) {
			continue // the line is gone
		}
		if code := line.Cells[l.Cell].Code(); code != push.CodeOpen {
			moves = append(moves, e.outcome(l, code))
		} else {
			open = append(open, *l)
		}
	}
	return moves, open
}

// outcome is the move with which a letter learns its outcome.
func (e *engine) outcome(l *push.Letter, code push.Code) push.LetterMove {
	return push.LetterMove{ID: l.ID, Version: l.Version, State: push.LetterReplayed, Outcome: code, At: e.now(), Reason: l.Reason}
}
