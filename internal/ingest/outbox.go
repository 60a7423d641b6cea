package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/worker"
)

// Marker is the part of the ledger that takes a notification out of the outbox.
type Marker interface {
	// Advance replaces the progress if the stored version is next.Version-1, else
	// push.ErrConflict.
	Advance(ctx context.Context, id push.ID, next push.Progress) error
}

// Outbox sends recorded notifications to the notifications queue, in batches
// and off the request's path: the answer waits for the record only. A notification that
// is lost with the process, or refused by the queue, stays unmarked in the ledger, and the
// Sweeper sends it.
type Outbox struct {
	queue   worker.Sink
	ledger  Marker
	log     *zap.Logger
	metrics *Metrics
	waiting chan push.Notification
}

// outboxDepth is how many notifications may wait in memory; beyond it they are
// left to the sweeper.
const outboxDepth = 8192

// NewOutbox returns an outbox; nothing is sent before Run.
func NewOutbox(queue worker.Sink, ledger Marker, log *zap.Logger, metrics *Metrics) *Outbox {
	return &Outbox{queue: queue, ledger: ledger, log: log, metrics: metrics, waiting: make(chan push.Notification, outboxDepth)}
}

// Push hands a recorded notification over. It never blocks.
func (o *Outbox) Push(n push.Notification) {
	select {
	case o.waiting <- n:
	default:
		o.metrics.deferred.Inc()
	}
}

// outboxSenders is how many batches are sent at once.
const outboxSenders = 4

// Run sends until ctx ends; the next sweep sends what waits then.
func (o *Outbox) Run(ctx context.Context) {
	var senders sync.WaitGroup
	for range outboxSenders {
		senders.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case n := <-o.waiting:
					o.send(ctx, o.collect(n))
				}
			}
		})
	}
	senders.Wait()
}

// collect takes the notifications that wait, up to a batch, without waiting for more.
func (o *Outbox) collect(first push.Notification) []push.Notification {
	batch := append(make([]push.Notification, 0, worker.MaxBatch), first)
	for len(batch) < worker.MaxBatch {
		select {
		case n := <-o.waiting:
			batch = append(batch, n)
		default:
			return batch
		}
	}
	return batch
}

// send enqueues a batch, marks what the queue took, and returns how many that were. A
// crash between the two leaves an additional message, which planning tolerates.
func (o *Outbox) send(ctx context.Context, batch []push.Notification) int {
	msgs := make([]worker.Outgoing, 0, len(batch))
	sent := make([]push.Notification, 0, len(batch))
	for i := range batch {
		m, err := taskFor(&batch[i])
		if err != nil {
			o.log.Error("a recorded notification can't be enqueued", about.Notification(&batch[i]), zap.Error(err))
			continue
		}
		msgs, sent = append(msgs, m), append(sent, batch[i])
	}
	if len(msgs) == 0 {
		return 0
	}
	err := o.queue.Send(ctx, msgs)
	partial, isPartial := errors.AsType[*worker.BatchError](err)
	if err != nil {
		o.metrics.enqueueErrors.Inc()
		o.log.Warn("enqueue failed; the sweeper will send it", zap.Int("notifications", len(msgs)), zap.Error(err))
		if !isPartial {
			return 0
		}
	}
	taken := 0
	var marking sync.WaitGroup
	for i := range sent {
		if isPartial && partial.Failed[i] != nil {
			continue
		}
		taken++
		marking.Go(func() { o.mark(ctx, &sent[i]) }) // together, so that they share one commit
	}
	marking.Wait()
	return taken
}

// mark takes a notification out of the outbox. Losing to another writer is
// fine: planning, cancelling and completing mark as well.
func (o *Outbox) mark(ctx context.Context, n *push.Notification) {
	next := n.Progress
	next.Version++
	next.Enqueued = true
	if err := o.ledger.Advance(ctx, n.ID, next); err != nil && !errors.Is(err, push.ErrConflict) && ctx.Err() == nil {
		o.log.Warn("marking as enqueued failed; the sweeper will send it again", about.Notification(n), zap.Error(err))
	}
}

// Backlog is the part of the ledger that the sweeper reads.
type Backlog interface {
	// Unenqueued returns up to limit notifications in the outbox accepted before
	// the given time, oldest first.
	Unenqueued(ctx context.Context, before time.Time, limit int) ([]push.Notification, error)
}

// Sweeper sends what a crash or an absent queue left in the outbox.
type Sweeper struct {
	ledger Backlog
	outbox *Outbox
	log    *zap.Logger
	now    func() time.Time
	every  time.Duration
	after  time.Duration
}

// NewSweeper returns a sweeper that looks every few seconds for notifications
// that have waited longer than after.
func NewSweeper(ledger Backlog, outbox *Outbox, log *zap.Logger, now func() time.Time) *Sweeper {
	const every, after = 5 * time.Second, 10 * time.Second
	return &Sweeper{ledger: ledger, outbox: outbox, log: log, now: now, every: every, after: after}
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		if n, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("sweep failed", zap.Error(err))
		} else if n > 0 {
			s.log.Info("swept the outbox", zap.Int("notifications", n))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep sends up to 1,000 waiting notifications, the oldest first, and returns how many
// the queue took. It ends at the first batch of which the queue takes none: the queue is
// away, and every other batch would wait for that in vain.
func (s *Sweeper) Sweep(ctx context.Context) (int, error) {
	const most = 1000
	found, err := s.ledger.Unenqueued(ctx, s.now().Add(-s.after), most)
	if err != nil {
		return 0, fmt.Errorf("read the outbox: %w", err)
	}
	sent := 0
	for i := 0; i < len(found); i += worker.MaxBatch {
		taken := s.outbox.send(ctx, found[i:min(i+worker.MaxBatch, len(found))])
		if taken == 0 {
			break
		}
		sent += taken
	}
	return sent, nil
}
