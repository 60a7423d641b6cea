package workertest

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// Around is a queue whose calls go through Do, which decides what a caller gets to
// see: it may run effect and return its error, run it and return another (the
// answer was lost), not run it (the queue is away), or wait before or after it. op
// is the method's name. A nil Do lets all calls pass.
type Around struct {
	worker.Queue

	Do func(op string, effect func() error) error
}

func (a Around) call(op string, effect func() error) error {
	if a.Do == nil {
		return effect()
	}
	return a.Do(op, effect)
}

// Send implements [worker.Sink].
func (a Around) Send(ctx context.Context, msgs []worker.Outgoing) error {
	return a.call("Send", func() error { return a.Queue.Send(ctx, msgs) })
}

// Receive implements [worker.Queue].
func (a Around) Receive(ctx context.Context, limit int, wait time.Duration) (msgs []worker.Message, err error) {
	err = a.call("Receive", func() (err error) { msgs, err = a.Queue.Receive(ctx, limit, wait); return err })
	return msgs, err
}

// Delete implements [worker.Queue].
func (a Around) Delete(ctx context.Context, msgs []worker.Message) error {
	return a.call("Delete", func() error { return a.Queue.Delete(ctx, msgs) })
}

// Extend implements [worker.Queue].
func (a Around) Extend(ctx context.Context, msgs []worker.Message, visibility time.Duration) error {
	return a.call("Extend", func() error { return a.Queue.Extend(ctx, msgs, visibility) })
}

// Impatient is a queue whose long polls do not wait: for tests without a bubble, of
// a consumer that polls until there is nothing more.
type Impatient struct{ worker.Queue }

// Receive implements [worker.Queue].
func (i Impatient) Receive(ctx context.Context, limit int, _ time.Duration) ([]worker.Message, error) {
	return i.Queue.Receive(ctx, limit, 0)
}
