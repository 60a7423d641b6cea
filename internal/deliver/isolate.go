package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Isolation lets one chunk of a process at a time be sent to in groups of
// suspects. The chunks that were in hand beside a poisonous one come back as
// suspected as it is: one after the other they are cleared, and it is alone when
// it kills again. One Isolation serves all lanes of a process.
type Isolation struct{ place chan struct{} }

// NewIsolation returns a free one.
func NewIsolation() *Isolation { return &Isolation{place: make(chan struct{}, 1)} }

// enter waits for the place; false means that ctx ended or draining closed.
func (i *Isolation) enter(ctx context.Context, draining <-chan struct{}) bool {
	select {
	case i.place <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-draining:
	}
	return false
}

func (i *Isolation) leave() { <-i.place }

// inspect looks for signs that the line's last owner died over it: this message
// was received before and got no verdict, and the line is still held. After
// too many such deaths the chunk waits for the process's isolation.
func (d *Deliver) inspect(ctx context.Context, j *job) (*worker.Verdict, error) {
	if v, err := d.lookAgain(ctx, j); v != nil || err != nil {
		return v, err
	}
	if j.receives > 1 {
		j.line = j.line.Vanish()
	}
	if !j.line.Suspected() || j.line.State == ledger.StateClosed || j.chunk.Turn < j.line.Turn {
		return nil, nil
	}
	if !d.Isolation.enter(ctx, j.draining) {
		return done(worker.HandBack())
	}
	j.isolated = true
	line, err := d.Lines.Line(ctx, j.chunk.Ref)
	if err != nil {
		return nil, fmt.Errorf("read the line again: %w", err)
	}
	if line.Epoch != j.base { // somebody else had it in the meantime, and may still
		return done(worker.RetryAfter(2*ledger.FreshFor, nil))
	}
	j.accuse()
	return nil, nil
}

// lookAgain waits until it can be told whether the owner of a line is alive,
// when this message was in hand before: the next copy of it would not tell how
// often it was received.
func (d *Deliver) lookAgain(ctx context.Context, j *job) (*worker.Verdict, error) {
	fresh := ledger.FreshFor - d.Now().Sub(j.line.UpdatedAt)
	if j.receives < 2 || j.line.State != ledger.StateClaimed || fresh <= 0 {
		return nil, nil
	}
	t := time.NewTimer(fresh)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return done(worker.Leave())
	case <-j.draining:
		return done(worker.HandBack())
	}
	line, err := d.Lines.Line(ctx, j.chunk.Ref)
	if err != nil {
		return nil, fmt.Errorf("read the line again: %w", err)
	}
	j.line, j.base = line, line.Epoch
	return nil, nil
}

// accuse finds the suspects: the rows that were under way when the last owner
// vanished; those whom an owner that got no further left as such; or all open
// ones where that is not known any more. One that died alone, in isolation, is
// the poison.
func (j *job) accuse() {
	open := j.openRows()
	for _, row := range open {
		if j.line.Reserves(j.chunk.Index[row]) {
			j.suspects = append(j.suspects, row)
		}
	}
	if len(j.suspects) == 0 {
		j.suspects = open
		return
	}
	died := j.receives > 1 && j.line.State == ledger.StateClaimed
	j.poison = died && len(j.suspects) == 1 && j.line.Vanished > ledger.SuspectAfter
}

// group returns the suspects that may be sent to at once: the first half. Should
// they kill the process, they are the suspects of the next owner; should they
// not, the other half follows. Either way it takes at most ⌈log₂ n⌉ deaths to
// find one among n.
func group(suspects []int) []int { return suspects[:(len(suspects)+1)/2] }

// bounds returns the range of cells that rows lie in.
func (j *job) bounds(rows []int) (from, to int) {
	if len(rows) == 0 {
		return 0, 0
	}
	return j.chunk.Index[rows[0]], j.chunk.Index[rows[len(rows)-1]] + 1
}

// convict gives up the recipient that killed every worker that sent to it. The
// others are handed back at once: as a new message, which has not been received
// yet, and still suspected, for there may be a second one.
func (d *Deliver) convict(j *job) {
	row, now := j.suspects[0], d.Now()
	givenUp := slices.ContainsFunc(j.dead.results, func(r result) bool { return r.row == row })
	if givenUp || !j.line.Cells[j.chunk.Index[row]].Open() { // the gate had another end for it
		return
	}
	r := result{
		row: row, code: push.CodePoison, sentAt: now, at: now,
		detail: fmt.Sprintf("the worker died %d times while sending to this recipient, the last time to it alone", j.line.Vanished),
	}
	d.Log.Warn("recipient kills workers; dead-lettered", zap.Stringer("chunk", j.chunk.Ref),
		zap.Int("cell", j.chunk.Index[row]), zap.Int("deaths", j.line.Vanished))
	j.attempted(row, r)
	j.dead.add(r)
	j.halted = true
}

// isolate sends to the suspects, group by group. The next group is not begun
// before the ledger knows of it and of what came of the last one: whoever dies
// leaves behind whom it was sending to. When all are cleared, the others of
// the chunk follow as usual.
func (d *Deliver) isolate(ctx context.Context, j *job) (*worker.Verdict, error) {
	switch {
	case !j.isolated || len(j.suspects) == 0:
		return nil, nil
	case j.poison:
		d.convict(j)
		return nil, nil
	case d.stopReason(j) != stopNone:
		j.halted = true
		return nil, nil
	}
	sendable := j.sendable(d.MaxAttempts)
	j.done = make(map[int]bool, len(j.suspects))
	for next := group(j.suspects); len(j.suspects) > 0; next = j.suspects {
		rows := slices.DeleteFunc(slices.Clone(next), func(row int) bool { return !slices.Contains(sendable, row) })
		if halted, err := d.sendGroup(ctx, j, rows); halted || err != nil {
			j.halted = true
			return nil, err
		}
		for _, row := range rows {
			j.done[row] = true
		}
		j.suspects = j.suspects[len(next):]
		j.line.Reserve(j.bounds(j.suspects))
		if len(j.suspects) == 0 {
			j.line.Vanished = 0
		}
		if err := d.saveNow(ctx, j); err != nil || j.unsure != nil {
			j.halted = true
			return nil, err
		}
	}
	d.release(j)
	return nil, nil
}

// sendGroup sends to rows, all of which the stored reservation covers, and tells
// whether that was stopped.
func (d *Deliver) sendGroup(ctx context.Context, j *job, rows []int) (halted bool, err error) {
	if len(rows) == 0 {
		return false, nil
	}
	w := d.newWindow(ctx, j, rows)
	defer w.close()
	err = w.run(ctx)
	return w.why != stopNone, err
}

// release lets the next suspected chunk of the process in, and the next of
// retries only.
func (d *Deliver) release(j *job) {
	if j.again {
		j.again = false
		d.again.Add(-1)
	}
	if j.isolated {
		j.isolated = false
		d.Isolation.leave()
	}
}

// saveNow writes the line and waits for it. A ledger that is away ends the turn,
// as for a checkpoint.
func (d *Deliver) saveNow(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleGrace)
	defer cancel()
	j.line.UpdatedAt = d.Now().UTC()
	line, attempts := j.line, j.attempts
	line.Cells = append(line.Cells[:0:0], line.Cells...)
	line.Epoch = j.base + 1
	j.attempts = nil
	err := d.Lines.SaveLine(ctx, line, j.base, attempts)
	switch {
	case err == nil:
		j.base = line.Epoch
		return nil
	case errors.Is(err, ledger.ErrFenced):
		return err
	}
	d.Log.Warn("checkpoint failed; ending the turn", zap.Stringer("chunk", j.chunk.Ref), zap.Error(err))
	j.unsure = &saved{line.Epoch, line.Reserved, attempts, err}
	j.retry.later(d.Now().Add(retryPause))
	return nil
}
