package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// giveBack sends whole messages to their queues again and returns those that
// were taken; what a queue refuses for good is parked again.
//
// Sending one twice, after a crash, is harmless: an event is known by its
// idempotency key, a task is repeatable, and a chunk finds its line.
func (e *engine) giveBack(ctx context.Context, letters []claim) ([]claim, error) {
	byQueue := map[string][]claim{}
	for _, c := range letters {
		if err := e.revive(ctx, &c.Letter); err != nil {
			return nil, err
		}
		queue := c.Queue
		if readMessage(c.Queue, c.Body).chunk != nil {
			queue = e.run.Edits.queue()
		}
		byQueue[queue] = append(byQueue[queue], c)
	}
	var done, refused []claim
	for queue, cs := range byQueue {
		msgs := make([]worker.Outgoing, len(cs))
		for i := range cs {
			body, err := e.edited(&cs[i])
			if err != nil {
				return nil, err
			}
			msgs[i] = worker.Outgoing{Body: body, Group: cs[i].Tenant}
		}
		for from := 0; from < len(msgs); {
			n := batch(msgs[from:])
			err := e.Sources[queue].Send(ctx, msgs[from:from+n])
			partial, isPartial := errors.AsType[*worker.BatchError](err)
			if err != nil && !isPartial {
				return nil, fmt.Errorf("send %d messages to %s: %w", n, queue, err)
			}
			for i := range n {
				if isPartial && partial.Failed[i] != nil {
					refused = append(refused, cs[from+i])
				} else {
					done = append(done, cs[from+i])
				}
			}
			from += n
		}
	}
	return done, e.release(ctx, refused, Unsendable)
}

// revive makes a notification that could not be expanded plannable again.
func (e *engine) revive(ctx context.Context, l *push.Letter) error {
	if readMessage(l.Queue, l.Body).task == nil {
		return nil
	}
	return ledger.Revive(ctx, e.Notifications, l.Notification)
}

// edited returns the message's bytes as they were, or the chunk in them with the
// run's edits.
func (e *engine) edited(c *claim) ([]byte, error) {
	content := readMessage(c.Queue, c.Body)
	if content.chunk == nil || c.message == nil && e.run.Edits.ExpireAfter == 0 {
		return c.Body, nil
	}
	if c.message != nil {
		content.chunk.Message = c.message
	}
	if e.run.Edits.ExpireAfter > 0 {
		content.chunk.ExpiresAt = e.now().Add(e.run.Edits.ExpireAfter)
	}
	content.chunk.Replay = e.run.ID
	content.chunk.Series++
	return wire.EncodeChunk(content.chunk, content.traceParent)
}
