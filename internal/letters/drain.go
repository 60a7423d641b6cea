package letters

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/worker"
)

// Drained is what a drain did.
type Drained struct {
	Messages int64 // taken from dead-letter queues
	Letters  int64 // found in them
	Stored   int64 // of those, new to the store
	Left     int64 // messages of a newer program, left on their queue
	Mended   int64 // letters of the store that held another, which was taken out of them
	More     bool  // time was up before the queues were empty
}

// drainer adds up the results of several loops.
type drainer struct {
	*Room

	until time.Time // when no further round begins; zero: never

	messages, letters, stored, left, mended atomic.Int64
	more                                    atomic.Bool
}

func (d *drainer) sum() Drained {
	return Drained{
		Messages: d.messages.Load(), Letters: d.letters.Load(), Stored: d.stored.Load(), Left: d.left.Load(), Mended: d.mended.Load(),
		More: d.more.Load(),
	}
}

// Drain moves the messages of the dead-letter queues into the store and returns when the
// queues are empty. A letter is stored before its message is deleted, under an id that
// depends only on what died, so a drain that is killed anywhere may be repeated. It does
// not wait for messages that another receiver holds. It takes apart letters in the store
// that hold another letter.
func (r *Room) Drain(ctx context.Context) (Drained, error) { return r.DrainFor(ctx, 0) }

// DrainFor is [Room.Drain] that begins nothing new after a time, 0 for no limit: then More
// says whether messages may be left. What is in hand is finished, which takes seconds.
func (r *Room) DrainFor(ctx context.Context, most time.Duration) (Drained, error) {
	d := &drainer{Room: r}
	if most > 0 {
		d.until = r.cfg.Now().Add(most)
	}
	mended, failed := r.Mend(ctx)
	d.mended.Store(mended)
	err := d.run(ctx, func(ctx context.Context, name string, q worker.Queue) error {
		// A queue with several servers may answer an empty list too early, when
		// only some of them were asked; a longer poll asks all of them, and a second
		// one is for what was being sent just then.
		const wait, enough = time.Second, 2
		for empty := 0; empty < enough; {
			if !d.until.IsZero() && !d.cfg.Now().Before(d.until) {
				d.more.Store(true)
				return nil
			}
			n, err := d.round(ctx, name, q, wait)
			if err != nil {
				return err
			}
			if empty++; n > 0 {
				empty = 0
			}
		}
		return nil
	})
	return d.sum(), errors.Join(err, failed)
}

// DrainWatch drains until ctx ends, and then finishes what it holds. Queues and
// stores that are away are waited for. It returns nil when ctx ended.
func (r *Room) DrainWatch(ctx context.Context) (Drained, error) {
	d := &drainer{Room: r}
	mended, err := r.Mend(ctx)
	d.mended.Store(mended)
	if err != nil { // a replay or the next start does it
		r.cfg.Log.Warn("dead letters that hold another not taken apart yet", zap.Error(err))
	}
	queues := map[string]*ailing{}
	for name := range d.cfg.Dead {
		queues[name] = &ailing{}
	}
	err = d.run(ctx, func(ctx context.Context, name string, q worker.Queue) error {
		const first, longest = 100 * time.Millisecond, 5 * time.Second
		pause := first
		log := r.cfg.Log.With(zap.String("queue", name))
		for ctx.Err() == nil {
			_, err := d.round(ctx, name, q, worker.MaxWait)
			if err == nil {
				queues[name].mended(log)
				pause = first
				continue
			}
			if ctx.Err() != nil {
				return nil //nolint:nilerr // a stop that was asked for
			}
			r.cfg.Metrics.drainFailures.Inc()
			queues[name].failed(log, err)
			worker.Wait(ctx, pause)
			pause = min(2*pause, longest)
		}
		return nil
	})
	return d.sum(), err
}

// ailing tells that a queue cannot be drained when that begins and when it is over: its loops fail together, and often.
type ailing struct {
	mu    sync.Mutex
	since time.Time // zero: it is drained
}

func (a *ailing) failed(log *zap.Logger, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.IsZero() {
		a.since = time.Now()
		log.Warn("draining failed; trying again", zap.Error(err))
	}
}

func (a *ailing) mended(log *zap.Logger) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.since.IsZero() {
		log.Info("dead letters are drained again", zap.Duration("after", time.Since(a.since)))
		a.since = time.Time{}
	}
}

// run starts the loops of every queue and waits for them.
func (d *drainer) run(ctx context.Context, loop func(ctx context.Context, name string, q worker.Queue) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for name, q := range d.cfg.Dead {
		for range d.cfg.Loops {
			g.Go(func() error { return loop(ctx, name, q) })
		}
	}
	return g.Wait()
}

// round takes one batch and returns how many messages it had.
func (d *drainer) round(ctx context.Context, queue string, q worker.Queue, wait time.Duration) (int, error) {
	msgs, err := q.Receive(ctx, worker.MaxBatch, wait)
	if err != nil {
		return 0, fmt.Errorf("drain %s: %w", push.DeadLetterQueue(queue), err)
	}
	if len(msgs) == 0 {
		return 0, nil
	}
	// Received messages are stored even if ctx ends now.
	const grace = 30 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := d.keep(ctx, queue, q, msgs); err != nil {
		return 0, fmt.Errorf("drain %s: %w", push.DeadLetterQueue(queue), err)
	}
	return len(msgs), nil
}

// tell logs what no worker has: what the queue, or SNS before it, gave up by itself.
func (d *drainer) tell(queue string, stored []push.Letter) {
	type cause struct {
		code   push.Code
		tenant string
	}
	n := map[cause]int{}
	for i := range stored {
		if l := &stored[i]; l.Kind == push.LetterMessage && (l.Code == push.CodePoison || l.Code == push.CodeUndelivered) {
			n[cause{l.Code, l.Tenant}]++
		}
	}
	for c, letters := range n {
		d.cfg.Log.Warn("messages were given up by their queue; they are dead letters", zap.String("queue", queue), zap.Stringer("code", c.code),
			zap.String("tenant", c.tenant), zap.Int("letters", letters), telemetry.EachMinute())
	}
}

// keep stores the letters of a batch and then deletes its messages.
func (d *drainer) keep(ctx context.Context, queue string, q worker.Queue, msgs []worker.Message) error {
	var letters []push.Letter
	done := make([]worker.Message, 0, len(msgs))
	for i := range msgs {
		ls, err := d.lettersOf(ctx, queue, &msgs[i])
		if errors.Is(err, push.ErrNewerSchema) {
			d.left.Add(1)
			d.cfg.Log.Warn("dead letter of a newer version; left for a drain of that version", zap.String("queue", queue),
				about.Message(msgs[i].ID, msgs[i].Group, msgs[i].Body, msgs[i].TraceParent), zap.Error(err))
			continue
		}
		if err != nil {
			return err
		}
		letters, done = append(letters, ls...), append(done, msgs[i])
	}
	for from := 0; from < len(letters); from += maxPut {
		part := letters[from:min(from+maxPut, len(letters))]
		n, err := d.cfg.Letters.PutLetters(ctx, part)
		if err != nil {
			return err
		}
		d.stored.Add(int64(n))
		d.tell(queue, part)
		d.cfg.Metrics.stored.WithLabelValues(queue).Add(float64(n))
	}
	if len(done) == 0 {
		return nil
	}
	if err := q.Delete(ctx, done); err != nil {
		return err
	}
	d.messages.Add(int64(len(done)))
	d.letters.Add(int64(len(letters)))
	return nil
}

// maxPut is how many letters go into one call of the store.
const maxPut = 1000
