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

// Plans are the plans of notifications: who the recipients of a chunk are.
type Plans interface {
	// Plans returns up to limit plans of a notification with sequence >= from, ascending.
	Plans(ctx context.Context, id push.ID, from, limit int) ([]ledger.Plan, error)
}

// credible reports whether what a message claims to be may be believed. On the
// events queue other services send. One of them could write a letter of a
// notification that it has never seen, with an address of its own, for an
// operator to replay. So recipients that come that way have to be those of the
// plan; the other queues are ours alone.
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
	if r.Plans == nil {
		return false, nil
	}
	s, err := r.heads.of(ctx, c.Ref.Notification)
	if err != nil || s.tenant != c.Tenant {
		return false, err
	}
	plans, err := r.Plans.Plans(ctx, c.Ref.Notification, c.Ref.Seq, 1)
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

// claimed makes a letter of a message that claims what can't be believed: it
// stays what it is, somebody's bytes.
func (r *Room) claimed(ctx context.Context, queue string, m *worker.Message, c *wire.Content, err error) ([]push.Letter, error) {
	if err != nil {
		return nil, err
	}
	return r.message(ctx, &push.DeadLetter{
		Queue: queue, ID: m.ID, Code: push.CodeUndecodable, Body: m.Body, Group: m.Group, Receives: m.Receives,
		SentAt: m.SentAt, At: r.now(), Software: r.Software,
		Detail: fmt.Sprintf("this %s claims to be of %s, and the ledger does not know its recipients", c.Kind, c.Queue()),
	})
}
