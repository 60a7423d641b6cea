package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/worker"
)

// Channel is the way of an app to FCM: who sends with its credential, and what guards
// that. Everything that FCM says about a credential stays in its channel, so that one
// that is refused, sick or slow costs the others nothing.
type Channel struct {
	Sender Sender
	Guard  *guard.Guard
	// Held counts the chunks that wait in their place in the worker because the guard lets
	// none through, and Hold is how many of them may: the rest goes back to the queue, since
	// the places are for all channels. A Hold of 0 is any number, for a worker with one channel.
	Held *atomic.Int64
	Hold int64
}

// Channels knows the channels. Safe for concurrent use.
type Channels interface {
	// Channel returns the channel of an app ("" is its tenant's default one) for one turn of a
	// chunk. The error is [*NoCredentialError] if the app has none to use, or that of a store that is
	// away.
	Channel(ctx context.Context, tenant, app string) (Channel, error)
}

// NoCredentialError says that nothing can be sent for an app at present. What there is to send
// waits, on its queue, until it can or has expired.
type NoCredentialError struct {
	Why   string        // in words, without a secret
	Again time.Duration // when to look again
}

// Error implements error.
func (e *NoCredentialError) Error() string { return e.Why }

// single is one channel for everybody.
type single Channel

// Channel implements [Channels].
func (s single) Channel(context.Context, string, string) (Channel, error) { return Channel(s), nil }

// await waits until the guard lets something through, as [guard.Guard.Await], if there is a
// place to wait in.
func (c *Channel) await(ctx context.Context, ask guard.Ask) error {
	if c.Hold > 0 {
		if c.Held.Add(1) > c.Hold {
			ask.Patience = 0
		}
		defer c.Held.Add(-1)
	}
	return c.Guard.Await(ctx, ask)
}

// connecting finds the channel of a chunk. A chunk whose app has no credential goes back to
// the queue, unclaimed. It is claimed all the same, without sending, if there is something
// to be settled, or to be seen by the janitor.
type connecting struct {
	*timing

	channels Channels
}

// run implements stage.
func (c *connecting) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	channel, err := c.channels.Channel(ctx, j.n.Tenant, j.n.App)
	if err == nil {
		j.channel = channel
		return nil, nil
	}
	missing, ok := errors.AsType[*NoCredentialError](err)
	if !ok {
		return nil, fmt.Errorf("find the credential: %w", err)
	}
	wait := missing.Again + c.jitter(missing.Again/2+1)
	if c.mayWait(j) {
		return done(worker.RetryAfter(max(0, min(wait, j.deadline().Sub(c.now()))), nil))
	}
	j.state = turnOver
	j.retry.postpone(c.in(wait))
	return nil, nil
}

// mayWait reports whether nothing is lost if the chunk goes back to the queue unclaimed.
// The count of receives is the only trace of a worker's death, so a message that was
// received before is claimed. A line that was not written for long counts as abandoned.
func (t *timing) mayWait(j *job) bool {
	return j.receives <= 1 && j.places.isolation == nil && j.lease.Line.State != ledger.StateClaimed &&
		j.lease.Line.State != ledger.StateClosed && j.chunk.Turn >= j.lease.Line.Turn &&
		t.now().Sub(j.lease.Line.UpdatedAt).Abs() <= signEvery && j.stopReason(t.now()) == stopNone
}

// connected reports whether the chunk has a channel.
func (j *job) connected() bool { return j.channel.Sender != nil }

var _ Channels = single{}
