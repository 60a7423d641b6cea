package deliver

import (
	"context"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// A checkpoint is made after so many results or so much time, whichever is first. With
// 100 requests under way, a SIGKILL then repeats some 90 sends, all of them flagged.
const (
	checkpointResults = 50
	checkpointEvery   = 100 * time.Millisecond
	controlEvery      = 250 * time.Millisecond
)

// result is the result of one request.
type result struct {
	row        int
	place      int       // in its window's order
	skipped    bool      // not made: a retry without leave, or a recipient that is held
	code       push.Code // CodeOpen: the request was not made
	detail     string
	retryAfter time.Duration
	deferred   time.Duration // not made: not before this, by the monotonic clock
	stop       stop          // not made: the notification is not to be sent any more
	sentAt     time.Time
	at         time.Time
	took       time.Duration // from one to the other, whatever the wall clock does
	unasked    bool          // refused by Belfry: FCM was not asked
}

// sending tries every open recipient once, in order, with a bounded number of requests
// under way. The goroutine that runs it owns the job; requests run in others and report
// back to it.
type sending struct{ requests *requests }

// run implements stage.
func (s *sending) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	q := s.requests
	order := slices.DeleteFunc(j.sendable(j.mostAttempts(q.maxAttempts)), func(row int) bool { return j.suspects.tried[row] })
	if j.state == turnOver || len(order) == 0 || j.stopReason(q.now()) != stopNone {
		return nil, nil
	}
	// The row may be beyond the reservation if sifting settled what the claim reserved.
	if len(order) == 1 && j.head.limiter == nil && j.brake == nil && j.chunk.Index[order[0]] < j.lease.Line.Reserved {
		q.take(j, q.request(ctx, j, order[0], j.draining))
		return nil, nil
	}
	return nil, q.newWindow(j, order).run(ctx)
}

// openRows returns the rows of the chunk whose cells are open.
func openRows(c *push.Chunk, line *ledger.Line) []int {
	rows := make([]int, 0, len(c.Index))
	for row, cell := range c.Index {
		if line.Cells[cell].Open() {
			rows = append(rows, row)
		}
	}
	return rows
}

// sendable returns the open rows, without those that are held or given up.
func (j *job) sendable(maxAttempts int) []int {
	rows := openRows(&j.chunk, &j.lease.Line)
	if j.brake == nil && j.chunk.Attempt <= maxAttempts {
		return rows
	}
	return slices.DeleteFunc(rows, func(row int) bool { return j.held(row) || j.chunk.AttemptOf(row) > maxAttempts })
}
