package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// A batch whose upload goes on, or whose sending is throttled, is released step by step,
// by a chain of tasks: each task sends the next one. A step may be repeated, and so may
// the whole chain: a crash or the queue may begin a second chain of the same batch, which
// sends the same chunks at the same times, and deliver finds their lines taken. A resume
// begins a new chain from the first page under a generation of its own, and ends the old
// chain.

const (
	// releaseAhead is the part of a throttled batch's schedule that one step releases;
	// releaseLead is how long before the end of that part the next step begins.
	releaseAhead = 5 * time.Second
	releaseLead  = 2 * time.Second
	// releasePages is how many pages one step looks at, at most.
	releasePages = 64
	// releaseStuck is how often, releaseLead apart, a step waits for the last step's chunks
	// to be taken before it goes on all the same: for five minutes. A chunk that is never
	// taken, because its message is dead, must not hold up the rest.
	releaseStuck = 150
)

// stepwise reports whether a notification is released step by step.
func stepwise(n *push.Notification) bool {
	return n.Progress.State != push.StateCancelled && (n.Progress.Early || n.PerSecond > 0)
}

// release does one step; a task of another kind begins a chain.
func (f *Fanout) release(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	if t.Op != wire.OpRelease {
		t = wire.Task{Op: wire.OpRelease, Notification: n.ID, Generation: n.Progress.Generation, TraceParent: t.TraceParent}
	}
	if t.Generation != n.Progress.Generation || n.Progress.State == push.StateCancelled {
		return worker.Ack(), nil // a resume has begun another chain; a cancellation has its own task
	}
	if !f.cfg.Now().Before(n.Deadline()) {
		return worker.Ack(), f.expire(ctx, t, n)
	}
	if n.PerSecond > 0 {
		return f.pace(ctx, t, n)
	}
	pages, err := f.pageTasks(t, n, t.Page)
	if err != nil {
		return worker.Verdict{}, err
	}
	if err := worker.SendAll(ctx, f.cfg.Tasks, pages); err != nil {
		return worker.Verdict{}, err
	}
	if t.Turn++; len(pages) > 0 {
		t.Turn = 0
	}
	t.Page = max(t.Page, n.Progress.Pages)
	return f.rest(ctx, t, n)
}

// rest ends a chain that has released all pages. While the upload goes on it looks for
// new pages instead: every second, and after half a minute without one less and less
// often, but at least every eight seconds.
func (f *Fanout) rest(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	if !n.Progress.Early {
		return worker.Ack(), f.sendCheck(ctx, t, n)
	}
	const patience, slowest = 30, 3
	wait := time.Second << min(t.Turn/patience, slowest)
	return f.next(t, max(wait, t.Due.Add(-releaseLead).Sub(f.cfg.Now())))
}

// next sends the chain's next task after a wait.
func (f *Fanout) next(t wire.Task, wait time.Duration) (worker.Verdict, error) {
	body, err := wire.EncodeTask(t)
	if err != nil {
		return worker.Verdict{}, err
	}
	return worker.RetryAfter(wait, body), nil
}

// expire plans the rest of the batch at once, because nothing of it is sent any more:
// deliver gives every recipient the outcome expired. It also ends an upload that nobody
// has finished.
func (f *Fanout) expire(ctx context.Context, t wire.Task, n push.Notification) error {
	n, err := ledger.Advance(ctx, f.cfg.Notifications, n.ID, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		p.Early = false
		return p, nil
	})
	if err != nil {
		return fmt.Errorf("end the upload of %s: %w", t.Notification, err)
	}
	return f.spread(ctx, t, n, t.Page)
}

// pace releases the next part of a throttled batch. A chunk is due when the chunks before
// it have had their share of time, and its message is delayed until then. A step that
// comes late continues from now: missed time is not made up for.
//
// At most releaseAhead + releaseLead of the schedule, and one chunk, is on the queue
// without having been taken: if the last step's chunks are not taken, or get no answer,
// the next step waits, for up to five minutes. So an outage of the dispatchers, of the
// queue or of FCM leaves a backlog of seven seconds, and five more for each five minutes
// that it lasts; deliver's own throttle spreads that backlog afterwards.
func (f *Fanout) pace(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	stuck, err := f.stuck(ctx, t)
	if err != nil {
		return worker.Verdict{}, err
	}
	if stuck && t.Turn < releaseStuck {
		t.Turn++
		return f.next(t, releaseLead)
	}
	now := f.cfg.Now()
	begin := beginOf(t.Due, now)
	s := step{task: t, n: &n, now: now, due: begin, until: begin.Add(releaseAhead), behind: 0}
	for looked := 0; s.task.Page < n.Progress.Pages && s.due.Before(s.until) && looked < releasePages; looked++ {
		p, err := f.recordCounted(ctx, &t, &n, s.task.Page)
		if over, ok := errors.AsType[*laterError](err); ok {
			s.due = now.Add(over.wait + releaseLead) // what the step has released so far stays released
			break
		}
		if err != nil {
			return worker.Verdict{}, err
		}
		msgs, err := s.take(ctx, f, p)
		if err != nil {
			return worker.Verdict{}, err
		}
		if err := f.deliver(ctx, &n, msgs); err != nil {
			return worker.Verdict{}, err
		}
	}
	next := s.task
	next.Due = s.due.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	if s.behind > 0 {
		next.Behind = s.behind
	}
	if next.Turn++; next.Page > t.Page || next.Chunk > t.Chunk {
		next.Turn = 0
	}
	if next.Page < n.Progress.Pages {
		wait := s.due.Add(-releaseLead)
		return f.next(next, min(wait.Sub(f.cfg.Now()), wait.Sub(now))) // no longer if the clock was set back meanwhile
	}
	return f.rest(ctx, next, n)
}

// beginOf returns when the first chunk of a step is due: when the last step's chunks have
// had their time, or now if that is past. A step comes releaseLead before that, and the
// queue delays by whole seconds; if the time is further off, the wall clock was set back,
// and the batch does not wait for it.
func beginOf(due, now time.Time) time.Time {
	switch most := now.Add(releaseLead + time.Second); {
	case due.Before(now):
		return now
	case due.After(most):
		return most
	}
	return due
}

// stuck reports whether the first chunk that the last step released was not taken yet, or
// came back without an answer for anybody. A chunk of few recipients may do so for
// reasons of its own, so it does not count.
func (f *Fanout) stuck(ctx context.Context, t wire.Task) (bool, error) {
	if t.Behind == 0 {
		return false, nil
	}
	lines, err := f.cfg.Lines.Lines(ctx, t.Notification, t.Behind-1, 1)
	if err != nil {
		return false, fmt.Errorf("look at what was released: %w", err)
	}
	if len(lines) == 0 {
		return false, nil
	}
	switch l := &lines[0]; l.State {
	case ledger.StatePlanned:
		return true, nil
	case ledger.StateWaiting:
		return len(l.Cells) >= leastPaced && l.OpenCount() == len(l.Cells), nil
	case ledger.StateClaimed, ledger.StateParked, ledger.StateClosed:
	}
	return false, nil
}

// step is one release of a throttled batch under way.
type step struct {
	task   wire.Task // its page and chunk move on
	n      *push.Notification
	now    time.Time
	due    time.Time // when the next chunk is
	until  time.Time
	behind int // the sequence of the first chunk, plus 1
}

// take returns the messages of a page's chunks that are due before the step
// ends. Chunks that do not wait for a message take no time.
func (s *step) take(ctx context.Context, f *Fanout, p planned) ([]worker.Outgoing, error) {
	var msgs []worker.Outgoing
	for ; s.task.Chunk < len(p.chunks) && s.due.Before(s.until); s.task.Chunk++ {
		line := &p.lines[s.task.Chunk]
		ours, err := f.sends(ctx, line)
		if err != nil {
			return nil, err
		}
		if !ours {
			continue
		}
		msg, err := f.message(s.task, s.n, p.chunks[s.task.Chunk], line)
		if err != nil {
			return nil, err
		}
		msg.Delay = (s.due.Sub(s.now) + time.Second - 1).Truncate(time.Second) // never early
		msgs = append(msgs, msg)
		s.due = s.due.Add(time.Duration(line.OpenCount()) * time.Second / time.Duration(s.n.PerSecond))
		if s.behind == 0 {
			s.behind = line.Ref.Seq + 1
		}
	}
	if s.task.Chunk >= len(p.chunks) {
		s.task.Page, s.task.Chunk = s.task.Page+1, 0
	}
	return msgs, nil
}
