package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// giveBack sends whole messages to their queues again and returns those that the queues
// took; a message that its queue refuses for good is parked again.
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
		if wire.ReadMessage(c.Queue, c.Body).Chunk != nil {
			queue = e.run.Edits.Queue()
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
			n := worker.Fitting(msgs[from:])
			err := e.cfg.Sources[queue].Send(ctx, msgs[from:from+n])
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
	return done, e.release(ctx, refused, predict.Unsendable)
}

// revive makes a notification that could not be expanded plannable again.
func (e *engine) revive(ctx context.Context, l *push.Letter) error {
	if wire.ReadMessage(l.Queue, l.Body).Task == nil {
		return nil
	}
	return ledger.Revive(ctx, e.cfg.Notifications, l.Notification)
}

// edited returns the message's bytes as they were, or the chunk in them with the
// run's edits.
func (e *engine) edited(c *claim) ([]byte, error) {
	content := wire.ReadMessage(c.Queue, c.Body)
	if content.Chunk == nil || c.Message == nil && e.run.Edits.ExpireAfter == 0 {
		return c.Body, nil
	}
	if c.Message != nil {
		content.Chunk.Message = c.Message
	}
	if e.run.Edits.ExpireAfter > 0 {
		content.Chunk.ExpiresAt = e.now().Add(e.run.Edits.ExpireAfter)
	}
	content.Chunk.Replay = e.run.ID
	content.Chunk.Series++
	return wire.EncodeChunk(content.Chunk, content.TraceParent)
}
