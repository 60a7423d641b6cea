package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// A batch whose upload goes on, or whose sending is throttled, is released step
// by step: a chain of tasks, of which each sends the next. A step is safe to
// repeat, and so is the whole chain: a second one of the same batch, which a
// crash or the queue may begin, sends what waits at the same times, and deliver
// finds the lines taken. A resume begins a new chain from the first page under a
// generation of its own, and ends the old one.

const (
	// releaseAhead is how much of its schedule a throttled batch is released in
	// one step, and releaseLead how long before that ends the next step begins.
	releaseAhead = 5 * time.Second
	releaseLead  = 2 * time.Second
	// releasePages is how many pages one step looks at, at most.
	releasePages = 64
	// releaseStuck is how often, releaseLead apart, a step finds nothing taken
	// before it goes on all the same: after five minutes. A chunk that nobody ever
	// takes, because its message is dead, must not hold up the rest.
	releaseStuck = 150
)

// stepwise tells whether a notification is released step by step.
func stepwise(n *push.Notification) bool {
	return n.Progress.State != push.StateCancelled && (n.Progress.Early || n.PerSecond > 0)
}

// release is one step, the first one of a chain if the task is another.
func (f *Fanout) release(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	if t.Op != wire.OpRelease {
		t = wire.Task{Op: wire.OpRelease, Notification: n.ID, Generation: n.Progress.Generation, TraceParent: t.TraceParent}
	}
	if t.Generation != n.Progress.Generation || n.Progress.State == push.StateCancelled {
		return worker.Ack(), nil // a resume has begun another chain; a cancellation has its own task
	}
	if !f.Now().Before(n.Deadline()) {
		return worker.Ack(), f.expire(ctx, t, n)
	}
	if n.PerSecond > 0 {
		return f.pace(ctx, t, n)
	}
	pages, err := f.pageTasks(t, n, t.Page)
	if err != nil {
		return worker.Verdict{}, err
	}
	if err := sendAll(ctx, f.Tasks, pages); err != nil {
		return worker.Verdict{}, err
	}
	if t.Turn++; len(pages) > 0 {
		t.Turn = 0
	}
	t.Page = max(t.Page, n.Progress.Pages)
	return f.rest(ctx, t, n)
}

// rest ends a chain that has released all pages, or looks again for others
// while the upload goes on: every second, and after half a minute in vain less
// and less often, every eight at the rarest.
func (f *Fanout) rest(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	if !n.Progress.Early {
		return worker.Ack(), f.sendCheck(ctx, t, n)
	}
	const patience, slowest = 30, 3
	wait := time.Second << min(t.Turn/patience, slowest)
	return f.next(t, max(wait, t.Due.Add(-releaseLead).Sub(f.Now())))
}

// next has the chain go on after a wait.
func (f *Fanout) next(t wire.Task, wait time.Duration) (worker.Verdict, error) {
	body, err := wire.EncodeTask(t)
	if err != nil {
		return worker.Verdict{}, err
	}
	return worker.RetryAfter(wait, body), nil
}

// expire has all that is left of the batch planned at once, because nothing of
// it is sent any more: deliver gives everyone the outcome expired. That also
// ends an upload which nobody has declared finished.
func (f *Fanout) expire(ctx context.Context, t wire.Task, n push.Notification) error {
	n, err := ledger.Advance(ctx, f.Notifications, n.ID, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		p.Early = false
		return p, nil
	})
	if err != nil {
		return fmt.Errorf("end the upload of %s: %w", t.Notification, err)
	}
	return f.spread(ctx, t, n, t.Page)
}

// pace releases the next part of a throttled batch. Every chunk is due when
// those before it have had their share of time, and its message is delayed until
// then. A step that comes late goes on from now: what was missed is not made up.
//
// So at most releaseAhead + releaseLead of the schedule, and a chunk, is on the
// queue without having been taken: where nobody takes what the last step
// released, or nobody gets an answer, the next one waits, for up to five minutes.
// So an outage, of the dispatchers, of the queue or of FCM, leaves a backlog of
// seven seconds' worth, and of five more for every five minutes that it lasts;
// deliver's own limit spreads that when it is over.
func (f *Fanout) pace(ctx context.Context, t wire.Task, n push.Notification) (worker.Verdict, error) {
	stuck, err := f.stuck(ctx, t)
	if err != nil {
		return worker.Verdict{}, err
	}
	if stuck && t.Turn < releaseStuck {
		t.Turn++
		return f.next(t, releaseLead)
	}
	now := f.Now()
	begin := t.Due
	if begin.Before(now) {
		begin = now
	}
	s := step{task: t, n: &n, now: now, due: begin, until: begin.Add(releaseAhead), behind: 0}
	for looked := 0; s.task.Page < n.Progress.Pages && s.due.Before(s.until) && looked < releasePages; looked++ {
		p, err := f.record(ctx, &n, s.task.Page)
		if err != nil {
			return worker.Verdict{}, err
		}
		msgs, err := s.take(p)
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
		return f.next(next, s.due.Add(-releaseLead).Sub(f.Now()))
	}
	return f.rest(ctx, next, n)
}

// stuck tells whether what the last step released first was not taken yet, or
// came back with no answer for anybody. A chunk of few recipients may do that
// for reasons of its own, so it does not count.
func (f *Fanout) stuck(ctx context.Context, t wire.Task) (bool, error) {
	if t.Behind == 0 {
		return false, nil
	}
	lines, err := f.Lines.Lines(ctx, t.Notification, t.Behind-1, 1)
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
func (s *step) take(p planned) ([]worker.Outgoing, error) {
	var msgs []worker.Outgoing
	for ; s.task.Chunk < len(p.chunks) && s.due.Before(s.until); s.task.Chunk++ {
		line := &p.lines[s.task.Chunk]
		if !waits(line) {
			continue
		}
		msg, err := message(s.task, s.n, p.chunks[s.task.Chunk], line)
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
