package letters

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// credible reports whether a message may be what it claims to be. Other services send to
// the events queue. One of them could write a letter of a notification that it has never
// seen, with an address of its own, for an operator to replay. So recipients from that
// queue have to be those of the plan; only Belfry sends to the other queues.
func (r *Room) credible(ctx context.Context, queue string, c *wire.Content) (bool, error) {
	if queue != push.QueueEvents {
		return true, nil
	}
	switch {
	case c.Undelivered != nil:
		return r.planned(ctx, &c.Undelivered.Chunk)
	case c.Kind == wire.KindChunk:
		chunk, _, err := wire.DecodeChunk(c.Body)
		if err != nil {
			return false, nil //nolint:nilerr // what can't be read can't be believed either
		}
		return r.planned(ctx, &chunk)
	}
	return true, nil // a task says which, an event is what anybody may send
}

// planned reports whether the chunk's recipients are those of its plan.
func (r *Room) planned(ctx context.Context, c *push.Chunk) (bool, error) {
	if r.cfg.Plans == nil {
		return false, nil
	}
	s, err := r.heads.of(ctx, c.Ref.Notification)
	if err != nil || s.tenant != c.Tenant {
		return false, err
	}
	plans, err := r.cfg.Plans.Plans(ctx, c.Ref.Notification, c.Ref.Seq, 1)
	if errors.Is(err, push.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the plan of %s: %w", c.Ref, err)
	}
	if len(plans) == 0 || plans[0].Ref != c.Ref {
		return false, nil
	}
	for i, cell := range c.Index {
		if cell >= len(plans[0].Hashes) || plans[0].Hashes[cell] != c.Recipients[i].Address.Hash() {
			return false, nil
		}
	}
	return true, nil
}

// claimed makes a letter of a message that is not credible: its bytes, as they are.
func (r *Room) claimed(ctx context.Context, queue string, m *worker.Message, c *wire.Content, err error) ([]push.Letter, error) {
	if err != nil {
		return nil, err
	}
	return r.message(ctx, &push.DeadLetter{
		Queue: queue, ID: m.ID, Code: push.CodeUndecodable, Body: m.Body, Group: m.Group, Receives: m.Receives,
		SentAt: m.SentAt, At: r.now(), Software: r.cfg.Software,
		Detail: fmt.Sprintf("this %s claims to be of %s, and the ledger does not know its recipients", c.Kind, c.Queue()),
	})
}
