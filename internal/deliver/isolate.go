package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// suspects are the rows of a chunk that workers may have died over, and that are not
// cleared yet.
type suspects struct {
	rows   []int
	poison bool         // there is one suspect, and it kills workers
	tried  map[int]bool // the rows sent to as suspects in this turn
}

// accuse finds the suspects: the rows that were under way when the last owner
// vanished, or that an owner which got no further left as suspects; or all open rows
// if that is not known any more. A suspect is poison if enough workers have died in its
// trials.
func (j *job) accuse() {
	open := openRows(&j.chunk, &j.lease.Line)
	for _, row := range open {
		if j.lease.Line.Reserves(j.chunk.Index[row]) {
			j.suspects.rows = append(j.suspects.rows, row)
		}
	}
	switch len(j.suspects.rows) {
	case 1:
		j.suspects.poison = j.lease.Line.Convicted()
	case 0:
		j.suspects.rows, j.lease.Line.Alone = open, 0
	default:
		j.lease.Line.Alone = 0 // of another group
	}
}

// group returns the suspects that may be sent to at once: the first half. If they kill
// the process, they are the suspects of the next owner; if not, the other half follows.
// Either way it takes at most ⌈log₂ n⌉ deaths to find one among n.
func group(suspects []int) []int { return suspects[:(len(suspects)+1)/2] }

// onTrial reports whether a death during the sending to rows is evidence against one.
func (j *job) onTrial(rows []int) bool { return j.places.alone && len(rows) == 1 }

// bounds returns the range of cells that rows lie in.
func bounds(c *push.Chunk, rows []int) (from, to int) {
	if len(rows) == 0 {
		return 0, 0
	}
	return c.Index[rows[0]], c.Index[rows[len(rows)-1]] + 1
}

// convict gives up the recipient in whose trials enough workers have died. The others
// are handed back at once: in a new message, which has not been received yet, and still
// as suspects, because there may be a second poisonous recipient.
func (j *job) convict(now time.Time, log *zap.Logger) {
	row := j.suspects.rows[0]
	givenUp := slices.ContainsFunc(j.dead, func(r result) bool { return r.row == row })
	if givenUp || !j.lease.Line.Cells[j.chunk.Index[row]].Open() { // sift had another end for it
		return
	}
	r := result{
		row: row, code: push.CodePoison, sentAt: now, at: now,
		detail: fmt.Sprintf("the worker died %d times over this chunk, %d of them while it sent to this recipient and had nothing else in hand; "+
			"FCM may have accepted it each time: it may have been delivered", j.lease.Line.Vanished, j.lease.Line.Alone),
	}
	log.Warn("recipient kills workers; dead-lettered", j.about(),
		zap.Int("cell", j.chunk.Index[row]), zap.Int("deaths", j.lease.Line.Vanished), zap.Int("alone", j.lease.Line.Alone))
	j.lease.Line.Alone = 0 // of the others nothing is known
	j.attempted(row, r)
	j.dead = append(j.dead, r)
	j.state = turnOver
}

// isolating sends to the suspects, group by group. A group is not begun before the
// ledger knows its members and the results of the group before: a process that dies
// leaves behind which recipients it was sending to. When all are cleared, the others of
// the chunk follow as usual.
type isolating struct {
	requests *requests
	log      *zap.Logger
}

// run implements stage.
func (i *isolating) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	switch {
	case j.places.isolation == nil || len(j.suspects.rows) == 0 || !j.connected():
		return nil, nil
	case j.suspects.poison:
		j.convict(i.requests.now(), i.log)
		return nil, nil
	case j.stopReason(i.requests.now()) != stopNone:
		j.state = turnOver
		return nil, nil
	}
	sendable := j.sendable(j.mostAttempts(i.requests.maxAttempts))
	j.suspects.tried = make(map[int]bool, len(j.suspects.rows))
	for next := group(j.suspects.rows); len(j.suspects.rows) > 0; next = j.suspects.rows {
		rows := slices.DeleteFunc(slices.Clone(next), func(row int) bool { return !slices.Contains(sendable, row) })
		if halted, err := i.sendGroup(ctx, j, rows); halted || err != nil {
			j.state = turnOver
			j.clearSettled()
			return nil, err
		}
		for _, row := range rows {
			j.suspects.tried[row] = true
		}
		j.suspects.rows = j.suspects.rows[len(next):]
		j.lease.Line.Reserve(bounds(&j.chunk, j.suspects.rows))
		j.lease.Line.Alone, j.lease.Line.Trial = 0, j.onTrial(j.suspects.rows)
		if len(j.suspects.rows) == 0 {
			j.lease.Line.Clear()
		}
		if kept, err := i.saveNow(ctx, j); !kept {
			j.state = turnOver
			return nil, err
		}
	}
	j.places.free()
	return nil, nil
}

// clearSettled drops suspects that have an outcome: they killed nobody.
func (j *job) clearSettled() {
	n := len(j.suspects.rows)
	j.suspects.rows = slices.DeleteFunc(j.suspects.rows, func(row int) bool { return !j.lease.Line.Cells[j.chunk.Index[row]].Open() })
	if len(j.suspects.rows) < n {
		j.lease.Line.Alone = 0
	}
}

// sendGroup sends to rows, all of which the stored reservation covers; halted reports
// whether the sending was stopped.
func (i *isolating) sendGroup(ctx context.Context, j *job, rows []int) (halted bool, err error) {
	if len(rows) == 0 {
		return false, nil
	}
	w := i.requests.newWindow(j, rows)
	err = w.run(ctx)
	return w.why != stopNone, err
}

// saveNow writes the line and waits for it. A ledger that is away ends the turn,
// as for a checkpoint.
func (i *isolating) saveNow(ctx context.Context, j *job) (kept bool, lost error) {
	if kept, lost = j.lease.SaveNow(ctx); !kept {
		j.retry.later(i.requests.in(retryPause))
	}
	return kept, lost
}
