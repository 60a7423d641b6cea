package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// anew makes the messages of chunks again, a page of letters at a time, in the order of a
// hand-back: first the message, with the turn that the line will have, then the line.
// After a crash in between, that message serves as well as the next one.
type anew struct {
	*engine

	pass  *pass
	ended Ended
	moves []push.LetterMove // outcomes
	next  []ledger.Line     // as they wait for their new message
	msgs  []worker.Outgoing // parallel
	tales []*wire.Reconciled
}

// chunk looks after one line whose letters the run sent again and that have no outcome.
func (a *anew) chunk(ctx context.Context, line *ledger.Line, letters []push.Letter) error {
	moves, open := a.known(line, letters)
	a.moves = append(a.moves, moves...)
	if len(open) == 0 {
		return nil
	}
	queue := a.run.Edits.Queue()
	if lost, err := a.pass.lost(ctx, queue, line.UpdatedAt, time.Time{}); err != nil || !lost {
		return err
	}
	evidence, err := a.cfg.Lines.Attempts(ctx, line.Ref)
	if err != nil {
		return fmt.Errorf("read the evidence of %s: %w", line.Ref, err)
	}
	open = a.ofRun(evidence, open)
	if len(open) == 0 {
		return nil
	}
	n, err := a.cfg.Notifications.Notification(ctx, line.Ref.Notification)
	if errors.Is(err, push.ErrNotFound) {
		return nil // whoever got its message could not send it
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", line.Ref.Notification, err)
	}
	since := reopened(evidence, a.run.ID, open)
	deadline := n.Deadline()
	if d := a.run.Edits.ExpireAfter; d > 0 {
		deadline = since.Add(d)
	}
	over := !a.now().Before(deadline)
	switch {
	case n.Progress.State == push.StateCancelled:
		return a.conclude(ctx, &n, line, open, push.CodeCancelled)
	case over:
		return a.conclude(ctx, &n, line, open, push.CodeExpired)
	case n.Progress.State == push.StatePaused, line.State == ledger.StateParked && n.Progress.Held.Any():
		return nil // sent when that ends
	case line.Due.After(a.now()):
		if lost, err := a.pass.lost(ctx, queue, line.UpdatedAt, earlier(line.Due, deadline)); err != nil || !lost {
			return err
		}
	}
	return a.again(ctx, &n, line, open, evidence, since)
}

// ofRun returns the letters whose cell this run reopened last. If the recipient died again
// and another run reopened the cell since, the letter is that run's.
func (a *anew) ofRun(evidence []ledger.Attempt, letters []push.Letter) []push.Letter {
	last := ledger.LastReopened(evidence)
	return slices.DeleteFunc(letters, func(l push.Letter) bool {
		if last[l.Cell] == a.run.ID {
			return false
		}
		a.moves = append(a.moves, a.outcome(&l, push.CodeAttemptsExhausted))
		return true
	})
}

// reopened returns when the run reopened the letters' cells.
func reopened(evidence []ledger.Attempt, run push.ID, letters []push.Letter) (at time.Time) {
	marks := ledger.LastMark(evidence, run)
	for i := range letters {
		if t := marks[letters[i].Cell]; t.After(at) {
			at = t
		}
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// again makes the message of a line again, if all of its letters are there.
func (a *anew) again(ctx context.Context, n *push.Notification, line *ledger.Line, letters []push.Letter, evidence []ledger.Attempt,
	since time.Time,
) error {
	claims := make([]claim, len(letters))
	for i := range letters {
		claims[i].Letter = letters[i]
	}
	chunks, _ := byChunk(openOnes(line, claims))
	claims = chunks[0]
	if len(claims) < line.OpenCount() {
		a.pass.keep(line.Ref, letters)
		return nil
	}
	now := a.now()
	next, err := line.Recall(now)
	if err != nil { // its owner lives
		return nil //nolint:nilerr // which is what is wanted
	}
	if err := a.messageFor(ctx, claims); err != nil {
		return err
	}
	c := a.chunkOf(&next, claims, since)
	c.Attempts, c.LastCode = ledger.Tries(evidence, c.Index)
	for _, try := range c.Attempts {
		c.Attempt = max(c.Attempt, try)
	}
	wait := max(0, next.Due.Sub(now))
	if wait > worker.MaxDelay {
		c.Wait, wait = wait-worker.MaxDelay, worker.MaxDelay
		c.NotBefore = next.Due // for readers that don't know Wait
	}
	body, err := wire.EncodeChunk(&c, a.traceOf(line, claims))
	if err != nil {
		return fmt.Errorf("encode %s: %w", line.Ref, err)
	}
	a.msgs = append(a.msgs, worker.Outgoing{Body: body, Group: line.Tenant, Delay: (wait + time.Second - 1).Truncate(time.Second)})
	a.next = append(a.next, next)
	a.tells(n, line, false)
	return nil
}

// conclude closes a line without another send: every open cell gets the outcome.
func (a *anew) conclude(ctx context.Context, n *push.Notification, line *ledger.Line, letters []push.Letter, code push.Code) error {
	closed, err := line.Conclude(code, n.Guarantee == push.AtMostOnce, a.now())
	if err != nil { // its owner lives
		return nil //nolint:nilerr // which is what is wanted
	}
	err = a.cfg.Lines.SaveLine(ctx, closed, line.Epoch, nil)
	if errors.Is(err, ledger.ErrFenced) { // claimed meanwhile, so its owner's
		return nil
	}
	if err != nil {
		return fmt.Errorf("conclude %s: %w", line.Ref, err)
	}
	moves, _ := a.known(&closed, letters)
	a.moves = append(a.moves, moves...)
	if a.ended != nil {
		a.ended(ctx, n, line, &closed)
	}
	a.pass.chunks++
	a.tells(n, line, true)
	return nil
}

// flush sends the messages, then writes their lines and the outcomes of letters.
func (a *anew) flush(ctx context.Context) error {
	if err := worker.SendAll(ctx, a.cfg.Sources[a.run.Edits.Queue()], a.msgs); err != nil {
		return fmt.Errorf("send %d lost chunks: %w", len(a.msgs), err)
	}
	for i := range a.next {
		err := a.cfg.Lines.SaveLine(ctx, a.next[i], a.next[i].Epoch-1, nil)
		if err != nil && !errors.Is(err, ledger.ErrFenced) { // fenced: somebody has a message after all
			return fmt.Errorf("recall %s: %w", a.next[i].Ref, err)
		}
		a.pass.chunks++
	}
	if len(a.moves) > 0 {
		for part := range slices.Chunk(a.moves, maxPage) {
			if _, err := a.cfg.Letters.MoveLetters(ctx, part); err != nil {
				return fmt.Errorf("write outcomes: %w", err)
			}
		}
	}
	a.publish(ctx)
	return nil
}

// tells adds a line to the event of its notification.
func (a *anew) tells(n *push.Notification, line *ledger.Line, ends bool) {
	at := slices.IndexFunc(a.tales, func(t *wire.Reconciled) bool { return t.ID == n.ID && t.Expired == ends })
	if at < 0 {
		at = len(a.tales)
		a.tales = append(a.tales, &wire.Reconciled{
			ID: n.ID, Tenant: n.Tenant, App: n.AppName(), Labels: n.Labels, State: n.Progress.State, Expired: ends, Replay: a.run.ID,
		})
	}
	t := a.tales[at]
	t.Chunks++
	t.Recipients += line.OpenCount()
	if line.UpdatedAt.After(t.QuietSince) {
		t.QuietSince = line.UpdatedAt
	}
}

// publish publishes what was found; an event that cannot be published is logged.
func (a *anew) publish(ctx context.Context) {
	if len(a.tales) == 0 {
		return
	}
	var events []wire.Event
	chunks, recipients := 0, 0
	for _, t := range a.tales {
		chunks += t.Chunks
		recipients += t.Recipients
		if e, err := wire.NewEvent(eventSource, string(t.ID), "", a.now(), *t); err == nil { // ids, times and numbers always encode
			events = append(events, e)
		}
	}
	a.cfg.Log.Warn("messages of replayed letters were lost; they are sent anew or expire",
		a.run.about(), zap.Int("chunks", chunks), zap.Int("letters", recipients))
	if a.cfg.Events == nil {
		return
	}
	if err := a.cfg.Events.Publish(ctx, events); err != nil {
		a.cfg.Log.Warn("event not published", a.run.about(), zap.Error(err))
	}
}
