package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// observe reads from the ledger the outcomes of up to limit letters that were sent and
// have none yet, and stores them with the letters. Each call continues behind the last
// one, and starts again at the end. It returns how many letters got their outcome and
// whether the round is complete.
func (e *engine) observe(ctx context.Context, limit int) (int, bool, error) {
	f := push.LetterFilter{Replay: e.run.ID, Awaiting: true, OldestFirst: true}
	letters, next, err := e.cfg.Letters.Letters(ctx, f, e.watch, limit)
	if err != nil {
		return 0, false, fmt.Errorf("list letters without an outcome: %w", err)
	}
	e.watch = next
	lines, err := e.linesOf(ctx, letters)
	if err != nil {
		return 0, false, err
	}
	causes := refailures{engine: e, tried: map[push.ChunkRef]map[int]push.Code{}}
	var moves []push.LetterMove
	var why []push.Code
	for i := range letters {
		l := &letters[i]
		code, err := e.outcomeOf(ctx, l, lines[l.Ref()])
		if err != nil {
			return 0, false, err
		}
		if code == push.CodeOpen {
			continue
		}
		cause, err := causes.of(ctx, l, code)
		if err != nil {
			return 0, false, err
		}
		moves, why = append(moves, e.outcome(l, code)), append(why, cause)
	}
	moved, err := e.cfg.Letters.MoveLetters(ctx, moves)
	if err != nil {
		return 0, false, fmt.Errorf("write outcomes: %w", err)
	}
	n := 0
	for i, ok := range moved {
		if !ok {
			continue
		}
		n++
		if moves[i].Outcome.Refailed() {
			e.cfg.Metrics.refailed.Inc()
			e.unsaved[why[i]]++
		}
	}
	return n, next == "", nil
}

// refailures finds out why letters failed again, reading the evidence of each line once.
type refailures struct {
	*engine

	tried map[push.ChunkRef]map[int]push.Code
}

// of returns what says most about why a letter ended with an outcome: the code of its last
// attempt where the attempts were used up, otherwise the outcome.
func (r *refailures) of(ctx context.Context, l *push.Letter, outcome push.Code) (push.Code, error) {
	if outcome != push.CodeAttemptsExhausted {
		return outcome, nil
	}
	cells, ok := r.tried[l.Ref()]
	if !ok {
		evidence, err := r.cfg.Lines.Attempts(ctx, l.Ref())
		if err != nil {
			return outcome, fmt.Errorf("read the evidence of %s: %w", l.Ref(), err)
		}
		cells = ledger.FailedWith(evidence, r.run.ID)
		r.tried[l.Ref()] = cells
	}
	if code, ok := cells[l.Cell]; ok {
		return code, nil
	}
	return outcome, nil
}

// superseded is the time without an outcome after which the evidence is read.
const superseded = time.Minute

// outcomeOf returns the outcome of a letter, CodeOpen while it is not known. The recipient
// of an open cell may have died again, and another replay may have reopened the cell: then
// this replay's send failed, whatever the other replay comes to.
func (e *engine) outcomeOf(ctx context.Context, l *push.Letter, line *ledger.Line) (push.Code, error) {
	if l.Cell >= len(line.Cells) {
		return push.CodeOpen, nil
	}
	if code := line.Cells[l.Cell].Code(); code != push.CodeOpen || e.now().Sub(l.MovedAt) < superseded {
		return code, nil
	}
	evidence, err := e.cfg.Lines.Attempts(ctx, line.Ref)
	if err != nil {
		return push.CodeOpen, fmt.Errorf("read the evidence of %s: %w", line.Ref, err)
	}
	if ledger.LastReopened(evidence)[l.Cell] != e.run.ID {
		return push.CodeAttemptsExhausted, nil
	}
	return push.CodeOpen, nil
}

// linesOf reads the lines of letters, each once; a line that is gone has no cells.
func (e *engine) linesOf(ctx context.Context, letters []push.Letter) (map[push.ChunkRef]*ledger.Line, error) {
	lines := map[push.ChunkRef]*ledger.Line{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.cfg.Concurrency)
	for i := range letters {
		ref := letters[i].Ref()
		if _, asked := lines[ref]; asked {
			continue
		}
		line := &ledger.Line{}
		lines[ref] = line
		g.Go(func() error {
			l, err := e.cfg.Lines.Line(ctx, ref)
			if err != nil && !errors.Is(err, push.ErrNotFound) {
				return fmt.Errorf("read the line of %s: %w", ref, err)
			}
			*line = l // without cells if it is gone
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return lines, nil
}

// watchRefailures watches refailures while letters are being sent, and holds the run back
// while too many are without an outcome to tell.
func (e *engine) watchRefailures(ctx context.Context) error {
	for {
		if _, _, err := e.observe(ctx, 2*pageSize); err != nil {
			return err
		}
		limit := e.run.Options.StopIfRefail
		if limit == 0 {
			return nil
		}
		tally, stopped, err := e.stopIfRefail(ctx, leastKnown)
		if err != nil || stopped || tally.Awaiting() < watchWindow {
			return err
		}
		const pause = 500 * time.Millisecond
		if err := e.idle(ctx, pause); err != nil {
			return err
		}
	}
}

// stopIfRefail stops the run when too many of at least so many known outcomes
// are failures.
func (e *engine) stopIfRefail(ctx context.Context, least int64) (push.LetterTally, bool, error) {
	tally, err := e.cfg.Letters.LetterTally(ctx, e.run.ID)
	if err != nil {
		return tally, false, fmt.Errorf("replay %s: %w", e.run.ID, err)
	}
	failed, known := tally.Refailed()
	failed, known = failed-e.run.Failed, known-e.run.Known
	limit := e.run.Options.StopIfRefail
	if limit == 0 || known < least || known == 0 || float64(failed) <= limit*float64(known) {
		return tally, false, nil
	}
	percent := func(share float64) float64 { return math.Round(share*1000) / 10 }
	why := fmt.Sprintf("%d of %d letters failed again: %v %%, more than %v %%", failed, known, percent(float64(failed)/float64(known)),
		percent(limit))
	if most := (&Run{RefailedBy: e.refailedBy()}).MostRefailed(); most != push.CodeOpen {
		why += fmt.Sprintf("; most with %s", most)
	}
	return tally, true, e.end(ctx, opStop, why)
}

// watchCanary waits for every outcome of the canary.
func (e *engine) watchCanary(ctx context.Context) error {
	done, err := e.outcomes(ctx)
	if err != nil || !done {
		return err
	}
	if _, stopped, err := e.stopIfRefail(ctx, 1); err != nil || stopped {
		return err
	}
	return e.enter(ctx, phaseMain)
}

// settle waits for the last outcomes, within reason, and completes the run.
func (e *engine) settle(ctx context.Context) error {
	done, err := e.outcomes(ctx)
	if err != nil {
		return err
	}
	if !done && e.now().Sub(e.run.PhaseAt) < settleFor {
		return nil
	}
	why := ""
	if !done {
		why = fmt.Sprintf("some outcomes were not known after %v", settleFor)
	}
	return e.end(ctx, opComplete, why)
}

// outcomes goes once round the letters without an outcome and reports whether
// none are left; if there are some it waits, longer and longer while nothing
// happens.
func (e *engine) outcomes(ctx context.Context) (bool, error) {
	const first, longest = time.Second, 5 * time.Second
	news := 0
	for {
		n, round, err := e.observe(ctx, 2*pageSize)
		if err != nil {
			return false, err
		}
		if news += n; !round {
			continue
		}
		tally, err := e.cfg.Letters.LetterTally(ctx, e.run.ID)
		if err != nil {
			return false, fmt.Errorf("replay %s: %w", e.run.ID, err)
		}
		if tally.Replaying > 0 {
			// An executor that was taken over claimed them, perhaps after this one had
			// recovered, and is marking them or is dead.
			if err := e.finishing(ctx, e.recover); err != nil {
				return false, err
			}
		} else if tally.Awaiting() == 0 {
			return true, nil
		}
		if e.pause = min(2*max(e.pause, first/2), longest); news > 0 {
			e.pause = first
		}
		return false, e.idle(ctx, e.pause)
	}
}
