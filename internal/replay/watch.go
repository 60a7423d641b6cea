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

// observe reads from the ledger what became of up to limit letters that were
// sent and have no outcome yet, and writes it into them. It goes round: every
// call continues behind the last one. It returns how many got their outcome and
// whether the round is complete.
func (e *engine) observe(ctx context.Context, limit int) (int, bool, error) {
	f := push.LetterFilter{Replay: e.run.ID, Awaiting: true, OldestFirst: true}
	letters, next, err := e.Letters.Letters(ctx, f, e.watch, limit)
	if err != nil {
		return 0, false, fmt.Errorf("list letters without an outcome: %w", err)
	}
	e.watch = next
	lines, err := e.linesOf(ctx, letters)
	if err != nil {
		return 0, false, err
	}
	var moves []push.LetterMove
	for i := range letters {
		l := &letters[i]
		code, err := e.outcomeOf(ctx, l, lines[l.Ref()])
		if err != nil {
			return 0, false, err
		}
		if code != push.CodeOpen {
			moves = append(moves, push.LetterMove{ID: l.ID, Version: l.Version, State: push.LetterReplayed, Outcome: code, At: e.now(), Reason: l.Reason})
		}
	}
	moved, err := e.Letters.MoveLetters(ctx, moves)
	if err != nil {
		return 0, false, fmt.Errorf("write outcomes: %w", err)
	}
	n := 0
	for i, ok := range moved {
		if !ok {
			continue
		}
		n++
		if c := moves[i].Outcome.Class(); c == push.ClassDeadLettered || c == push.ClassPermanent {
			e.Metrics.refailed.Inc()
		}
	}
	return n, next == "", nil
}

// superseded is after which time without an outcome the evidence is asked.
const superseded = time.Minute

// outcomeOf returns what became of a letter, CodeOpen while nobody knows. A cell
// that is open may have died and been reopened by another replay since: its own
// try was in vain then, and the other replay may take long.
func (e *engine) outcomeOf(ctx context.Context, l *push.Letter, line *ledger.Line) (push.Code, error) {
	if l.Cell >= len(line.Cells) {
		return push.CodeOpen, nil
	}
	if code := line.Cells[l.Cell].Code(); code != push.CodeOpen || e.now().Sub(l.MovedAt) < superseded {
		return code, nil
	}
	evidence, err := e.Lines.Attempts(ctx, line.Ref)
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
	g.SetLimit(e.Concurrency)
	for i := range letters {
		ref := letters[i].Ref()
		if _, asked := lines[ref]; asked {
			continue
		}
		line := &ledger.Line{}
		lines[ref] = line
		g.Go(func() error {
			l, err := e.Lines.Line(ctx, ref)
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

// mind watches refailures while letters are being sent, and holds the run back
// while too many are without an outcome to tell.
func (e *engine) mind(ctx context.Context) error {
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
	tally, err := e.Letters.LetterTally(ctx, e.run.ID)
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
	why := fmt.Sprintf("%d of %d letters failed again: %v %%, more than %v %%", failed, known, percent(float64(failed)/float64(known)), percent(limit))
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

// outcomes goes once round the letters without an outcome and tells whether
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
		tally, err := e.Letters.LetterTally(ctx, e.run.ID)
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
