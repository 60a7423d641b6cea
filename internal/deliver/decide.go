package deliver

import (
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// facts are what is known of a chunk when its turn ends. decide uses nothing else.
type facts struct {
	chunk    *push.Chunk
	line     ledger.Line // as this owner knows it
	why      stop
	now      time.Time     // what is stored
	elapsed  time.Duration // by the monotonic clock, as the times of retry
	deadline time.Time

	retry  retry
	dead   []result    // recipients that have had all attempts, or are poison
	unsent []push.Code // codes whose letters the queue did not take

	held      *push.Holds // what the ledger says is held; nil: the chunk has no brake
	refused   []refusal
	unwritten bool // there is a verdict that the ledger does not know

	suspects    []int
	poison      bool
	maxAttempts int
}

// secondLook is after how long a chunk comes back whose refusals were too few for
// a verdict. The other chunks of the notification are expected to bring it by then.
const secondLook = 5 * time.Second

// refusal is a recipient's refusal that may be everybody's.
type refusal struct {
	row      int
	code     push.Code
	doubtful bool // it is not known yet whether it is everybody's
}

// ending is how a turn ends.
type ending struct {
	givenUp []givenUp   // dead letters: they are sent before any line says so
	line    ledger.Line // this owner's, with all outcomes
	next    ledger.Line // as the turn leaves it: closed, parked, or waiting for the message
	rest    *rest       // the message; nil: none
	retry   retry
}

// givenUp are the recipients of a chunk that are given up with the same code.
type givenUp struct {
	end     push.Code
	results []result // by row, at least one
}

// rest is the message for the recipients that are handed back.
type rest struct {
	chunk push.Chunk
	wait  time.Duration // on the queue: whole seconds, worker.MaxDelay at most
	due   time.Time     // none of them is sent to before; zero: now
	tried int           // how many of them were sent to, and failed
}

// decide returns how a turn ends. It reads no clock, and does not change f.
func decide(f *facts) ending {
	e := ending{line: f.line, givenUp: groupGivenUp(f), retry: f.retry.clone()}
	e.line.Cells = slices.Clone(f.line.Cells)
	for _, b := range e.givenUp {
		e.giveUp(f, b)
	}
	e.judge(f)
	if code := stopOutcome(f.why); code != push.CodeOpen {
		for _, cell := range f.chunk.Index {
			e.line.Settle(cell, code, false)
		}
	}
	if len(f.suspects) == 0 {
		e.line.Clear() // nobody died in this turn
	}
	e.leave(f)
	if !f.poison && e.next.State != ledger.StateClosed {
		e.next.Reserve(bounds(f.chunk, f.suspects)) // who is left of them, for the next owner
	}
	return e
}

// groupGivenUp returns the given-up recipients that have no outcome yet, by code.
func groupGivenUp(f *facts) (all []givenUp) {
	open := slices.DeleteFunc(slices.Clone(f.dead), func(r result) bool { return !f.line.Cells[f.chunk.Index[r.row]].Open() })
	slices.SortFunc(open, func(a, b result) int { return a.row - b.row })
	var exhausted, poison []result
	for _, r := range open {
		if r.code == push.CodePoison {
			poison = append(poison, r)
		} else {
			exhausted = append(exhausted, r)
		}
	}
	if len(exhausted) > 0 {
		all = append(all, givenUp{push.CodeAttemptsExhausted, exhausted})
	}
	if len(poison) > 0 {
		all = append(all, givenUp{push.CodePoison, poison})
	}
	return all
}

// giveUp gives recipients their outcome. While the dead-letter queue is away they stay
// open: they come again, and are not sent to FCM again.
func (e *ending) giveUp(f *facts, b givenUp) {
	away := slices.Contains(f.unsent, b.end)
	for _, r := range b.results {
		if away {
			e.retry.again(r.row, f.maxAttempts+1, r.code, f.elapsed+retryPause)
			continue
		}
		e.line.Settle(f.chunk.Index[r.row], b.end, b.end == push.CodePoison || r.code.MaybeDelivered())
	}
}

// judge ends the doubt about the refusals of a turn. A refusal that is everybody's
// leaves its recipient open, to wait. Without a verdict the recipient comes once more;
// if there still is none, the refusal is its outcome.
func (e *ending) judge(f *facts) {
	if f.unwritten {
		e.retry.later(f.elapsed + retryPause)
	}
	for _, r := range f.refused {
		cell := f.chunk.Index[r.row]
		switch {
		case !e.line.Cells[cell].Open() || f.held.StoppedFor(f.chunk.Recipients[r.row].Part(), r.code):
		case r.doubtful && f.chunk.LastCode != r.code:
			e.retry.code = r.code
			e.retry.later(f.elapsed + secondLook)
		default:
			e.line.Settle(cell, r.code, false)
		}
	}
}

// leave decides what becomes of the open recipients.
//
// An open cell is always in a message whose turn is not below the line's. So the new
// message raises the turn, which makes all others stale, only if it holds every open
// cell; an owner that had lost its claim may have sent the others.
func (e *ending) leave(f *facts) {
	open, all := openRows(f.chunk, &e.line), e.line.OpenCount()
	turn := e.line.Turn
	if len(open) == all {
		turn++
	}
	switch {
	case all == 0:
		e.next = e.line.Close(f.now)
	case f.why == stopPaused, f.allHeld(open):
		e.next = e.line.HandBack(ledger.StateParked, e.line.Turn, f.now)
		e.next.Attempt = f.maxAttempts // the lowest of all rows, when they are sent again
		for _, row := range open {
			e.next.Attempt = min(e.next.Attempt, e.retry.attempt(row, f.chunk.AttemptOf(row)))
		}
	case len(open) == 0: // others have the rest of the line
		e.next = e.line.HandBack(ledger.StateWaiting, e.line.Turn, f.now)
	default:
		e.rest = f.handBack(&e.retry, open, turn)
		e.next = e.line.HandBack(ledger.StateWaiting, turn, f.now)
		e.next.Due = e.rest.due
	}
}

// allHeld reports whether there are rows and all of them wait for an operator. Only the
// ledger counts: another process may send to a part that the ledger does not hold.
func (f *facts) allHeld(rows []int) bool {
	if f.held == nil {
		return false
	}
	for _, row := range rows {
		part := f.chunk.Recipients[row].Part()
		everybodys := func(r refusal) bool { return r.row == row && f.held.StoppedFor(part, r.code) }
		if !f.held.Stopped(part) && !slices.ContainsFunc(f.refused, everybodys) {
			return false
		}
	}
	return len(rows) > 0
}

// handBack makes the open recipients one smaller chunk; some of them may have been tried
// and failed.
func (f *facts) handBack(again *retry, open []int, turn int) *rest {
	c := f.chunk
	out := &rest{chunk: push.Chunk{
		Ref: c.Ref, Tenant: c.Tenant, Turn: turn, Since: c.Since, LastCode: again.code, Attempt: 1,
		Replay: c.Replay, Series: c.Series, ExpiresAt: c.ExpiresAt, Message: c.Message,
	}}
	next := &out.chunk
	if next.LastCode == push.CodeOpen {
		next.LastCode = c.LastCode
	}
	switch {
	case again.postponed:
		// An open breaker, or an FCM out of reach, ends a series of attempts; the next
		// one starts afresh, so that an outage of hours is waited out and not counted
		// against anybody.
		next.Since = time.Time{}
	case next.Since.IsZero() && len(again.rows) > 0:
		next.Since = f.now
	}
	uneven := false
	for _, row := range open {
		attempt := again.attempt(row, c.AttemptOf(row))
		if attempt > c.AttemptOf(row) {
			out.tried++
		}
		next.Recipients = append(next.Recipients, c.Recipients[row])
		next.Index = append(next.Index, c.Index[row])
		next.Attempts = append(next.Attempts, attempt)
		uneven = uneven || attempt != next.Attempts[0]
		next.Attempt = max(next.Attempt, attempt)
	}
	if !uneven {
		next.Attempts = nil
	}
	out.delay(f, again.at)
	return out
}

// delay makes the message wait until a time by the monotonic clock, but not past the
// deadline, so that recipients are recorded as expired in time.
func (r *rest) delay(f *facts, at time.Duration) {
	r.wait = max(0, min(at-f.elapsed, f.deadline.Sub(f.now)))
	if r.wait > 0 {
		r.due = f.now.Add(r.wait).Truncate(time.Microsecond)
	}
	if r.wait > worker.MaxDelay {
		// The wire cuts to milliseconds.
		r.chunk.NotBefore, r.chunk.Wait = f.now.Add(r.wait+time.Millisecond), r.wait-worker.MaxDelay+time.Millisecond
		r.wait = worker.MaxDelay
	}
	r.wait = (r.wait + time.Second - 1).Truncate(time.Second)
}
