package sqs

import (
	"context"
	"errors"
	"sync"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Queue is one standard queue. It implements worker.Queue and worker.Gauge and
// is safe for concurrent use.
type Queue struct {
	api   api
	meter *awsmeter.Meter
	name  string
	what  string // the queue, in errors
	url   string

	life context.Context //nolint:containedctx // of the queue, which outlives the calls whose polls go on
	cut  context.CancelFunc

	mu     sync.Mutex
	closed bool
	polls  sync.WaitGroup // grows under mu, while not closed
}

var (
	_ worker.Queue = (*Queue)(nil)
	_ worker.Gauge = (*Queue)(nil)
)

var errClosed = push.WithOutage(push.OutageClosing, errors.New("queue is closed"))

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

// Close ends receiving. It waits for polls that SQS has not answered yet, so
// that what they bring is handed back at once instead of hidden until its
// visibility lapses; those that are left when ctx ends are cut off. A poll
// lasts up to the wait it was made with: on a busy queue it ends in
// milliseconds, on an idle one there is little to lose, so a second or two are
// enough.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	defer q.cut()
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.polls.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		q.cut()
		<-done
	}
	return nil
}

// enter counts a poll; it fails when the queue is closed.
func (q *Queue) enter() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errClosed
	}
	q.polls.Add(1)
	return nil
}
