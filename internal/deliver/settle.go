package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// settling ends the turn. Its order makes a crash harmless: dead letters first, then
// the new queue message for the open recipients, then the ledger line, then the
// effects, and the old queue message last. A step that is cut short is repeated: a
// second dead letter has the same identity, and a second queue message finds that the
// line's turn or state has moved on.
//
// It outlives ctx, so that results known at shutdown are kept.
type settling struct {
	*timing

	brakes      *brakes
	heads       *heads
	outcomes    Outcomes
	completion  *completion
	deadLetters *deadLetters
	queue       worker.Sink // for what is handed back
	maxAttempts int         // see Config
	metrics     *Metrics
}

// run implements stage.
func (s *settling) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	if err := j.lease.MakeSure(ctx); err != nil {
		return nil, err
	}
	f := s.factsOf(ctx, j)
	e := decide(&f)
	if len(e.givenUp) > 0 {
		f.unsent = s.deadLetters.sendAll(ctx, j, e.givenUp, f.now)
		f.elapsed = s.elapsed() // the letters took their time
		e = decide(&f)
	}
	return s.apply(ctx, j, &e)
}

// factsOf gathers what decide uses, after it has written verdicts that only this
// process knows.
func (s *settling) factsOf(ctx context.Context, j *job) facts {
	f := facts{
		chunk: &j.chunk, line: j.lease.Line, why: j.stopReason(s.now()), now: s.stamp(), deadline: j.deadline(),
		retry: j.retry, dead: j.dead, suspects: j.suspects.rows, poison: j.suspects.poison, maxAttempts: j.mostAttempts(s.maxAttempts),
	}
	if j.brake != nil {
		f.unwritten = s.brakes.writeVerdicts(ctx, j)
		p := &j.head.notification().Progress
		f.held = &p.Held
		for _, r := range j.refused {
			r.doubtful = j.brake.Doubtful(p, &j.chunk.Recipients[r.row], r.code)
			f.refused = append(f.refused, r)
		}
	}
	f.elapsed = s.elapsed()
	return f
}

// apply carries out what was decided. Dead letters are sent before it.
func (s *settling) apply(ctx context.Context, j *job, e *ending) (*worker.Verdict, error) {
	now := s.now()
	for i, cell := range e.line.Cells {
		if j.lease.Line.Cells[i].Open() && !cell.Open() {
			s.metrics.outcome(j, cell.Code(), now)
		}
	}
	j.lease.Line, j.retry = e.line, e.retry
	if e.rest != nil {
		if err := s.sendRest(ctx, j, e.rest); err != nil {
			return nil, errors.Join(err, s.keep(ctx, j))
		}
	}
	if err := j.lease.Finish(ctx, e.next); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	j.resolveDoubts()
	ctx, cancel := shortly(ctx)
	defer cancel()
	s.outcomes.Settled(ctx, j.traced(j.n), &j.lease.Line, j.notes)
	var err error
	switch j.lease.Line.State {
	case ledger.StateParked:
		err = s.unpark(ctx, j)
	case ledger.StateClosed:
		err = s.completion.complete(ctx, j)
	case ledger.StatePlanned, ledger.StateClaimed, ledger.StateWaiting:
	}
	if err != nil {
		return nil, err
	}
	return done(worker.Ack())
}

// keep saves the results of a turn that cannot end, because the queue does not take
// what is handed back: the message comes again, and nobody is sent to twice for that.
// Nothing is under way any more.
func (s *settling) keep(ctx context.Context, j *job) error {
	j.lease.Line.Reserve(bounds(&j.chunk, j.suspects.rows))
	j.lease.Line.Trial = false // nothing is under way
	_, err := j.lease.SaveNow(ctx)
	return err
}

// unpark sends the chunk if the notification was resumed, or the held part released,
// while its line was being parked. Resuming changes the notification and then looks at
// the lines; parking writes the line and then looks at the notification: so one of the
// two sees the other.
func (s *settling) unpark(ctx context.Context, j *job) error {
	if err := s.heads.reread(ctx, j.head, j.n.ID); err != nil {
		return fmt.Errorf("read the notification again: %w", err)
	}
	p := &j.head.notification().Progress
	f := facts{chunk: &j.chunk, now: s.now().UTC(), elapsed: s.elapsed(), deadline: j.deadline(), refused: j.refused}
	if j.brake != nil {
		f.held = &p.Held
	}
	open := openRows(&j.chunk, &j.lease.Line)
	if p.State == push.StatePaused || f.allHeld(open) || len(open) == 0 {
		return nil
	}
	return s.sendRest(ctx, j, f.handBack(&j.retry, open, j.lease.Line.Turn))
}

// sendRest sends the message for the recipients that are handed back.
func (s *settling) sendRest(ctx context.Context, j *job, r *rest) error {
	body, err := wire.EncodeChunk(&r.chunk, j.position())
	if err != nil {
		return err
	}
	ctx, cancel := shortly(ctx)
	defer cancel()
	msg := worker.Outgoing{Body: body, Group: j.chunk.Tenant, Delay: r.wait}
	if err := s.queue.Send(ctx, []worker.Outgoing{msg}); err != nil {
		return fmt.Errorf("hand back %d recipients: %w", len(r.chunk.Recipients), err)
	}
	s.metrics.retries.Add(float64(r.tried))
	return nil
}
