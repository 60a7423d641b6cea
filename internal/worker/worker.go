package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Handler turns one message into a verdict. ctx ends when the worker's grace
// for shutting down is over; draining closes earlier, when the worker was asked
// to drain: a long-running handler then finishes what is under way and hands
// the rest back. A panic counts as no verdict: the message comes back, and the
// queue's redrive takes it away after too many.
type Handler interface {
	Handle(ctx context.Context, msg Message, draining <-chan struct{}) Verdict
}

// HandlerFunc lets a function be a Handler.
type HandlerFunc func(ctx context.Context, msg Message, draining <-chan struct{}) Verdict

// Handle implements Handler.
func (f HandlerFunc) Handle(ctx context.Context, msg Message, draining <-chan struct{}) Verdict {
	return f(ctx, msg, draining)
}

// Config says how a queue is worked on.
type Config struct {
	Name        string        // of the queue, for logs, metrics and dead letters
	Concurrency int           // messages in hand at once, 1..1000; up to a quarter more while one group has too many of them
	Pollers     int           // receives under way at once, from 1; 0 means 1
	Visibility  time.Duration // of the queue; prolonged at a third of it while in hand
	Wait        time.Duration // of one long poll, up to MaxWait
	Software    string        // version, written into dead letters
	// Homes are the source queues by name, for messages of ours that belong on
	// another queue than the one they came to. Leave it nil for a queue on which
	// others may send: what they call ours is not passed on to the inside.
	Homes map[string]Sink
}

// settlers is how many batches of verdicts are carried out at once, so that one
// slow call to the queue does not hold up the others.
const settlers = 4

// Worker consumes one queue.
type Worker struct {
	cfg     Config
	queue   Queue
	dead    Sink
	handler Handler
	log     *zap.Logger
	metrics *Metrics

	settler  *settler
	shares   *shares
	draining chan struct{}
	drain    sync.Once

	begun time.Time
	away  atomic.Int64 // since when after begun the queue does not answer; 0 while it does

	mu     sync.Mutex
	inHand map[string]Message // by receipt
}

// New returns a worker that hands messages of queue to handler and puts dead
// letters on dead. Call Run to start it.
func New(cfg Config, queue Queue, dead Sink, handler Handler, log *zap.Logger, metrics *Metrics) *Worker {
	log = log.With(zap.String("queue", cfg.Name))
	metrics.start(cfg.Name)
	return &Worker{
		cfg: cfg, queue: queue, dead: dead, handler: handler, log: log, metrics: metrics,
		settler:  newSettler(cfg, queue, dead, log, metrics),
		shares:   newShares(cfg.Concurrency),
		draining: make(chan struct{}), begun: time.Now(), inHand: map[string]Message{},
	}
}

// Drain asks the worker to stop: no new receives, handlers are told, and Run
// returns when the last verdict is carried out. It returns at once and may be
// called more than once.
func (w *Worker) Drain() { w.drain.Do(func() { close(w.draining) }) }

// Run works until Drain was called and everything in hand is settled, or until
// ctx ends, which cuts handlers short. Messages without a verdict by then come
// back when their visibility lapses.
func (w *Worker) Run(ctx context.Context) {
	poll, stopPolling := context.WithCancel(ctx)
	defer stopPolling()
	go func() {
		select {
		case <-w.draining:
		case <-poll.Done():
		}
		stopPolling()
	}()

	var background, handlers sync.WaitGroup
	stopBackground := make(chan struct{})
	background.Go(func() { w.keepInvisible(ctx, stopBackground) })
	verdicts := make(chan settled, 2*MaxBatch)
	var settling sync.WaitGroup
	for range settlers {
		settling.Go(func() { w.settler.run(ctx, verdicts) })
	}

	slots, next := newSlots(w.shares), make(chan Message)
	start := func(msg Message) bool {
		if !w.shares.take(msg) {
			slots.free()
			w.putOff(msg, verdicts)
			return false
		}
		select {
		case next <- msg: // to a handler that waits for one
		default:
			handlers.Go(func() { w.serve(ctx, msg, next, slots, verdicts) })
		}
		return true
	}
	var polling sync.WaitGroup
	for range max(1, w.cfg.Pollers) {
		polling.Go(func() { w.pollLoop(poll, slots, start) })
	}
	polling.Wait()
	close(next)

	handlers.Wait()
	close(verdicts)
	settling.Wait()
	close(stopBackground)
	background.Wait()
}

// pollLoop receives while there are free slots. start reports whether it took a place
// for the message. A receive error is never fatal: it waits a little longer each time,
// up to 5 s, and tries again.
func (w *Worker) pollLoop(ctx context.Context, slots *slots, start func(Message) bool) {
	const firstPause, longestPause = 100 * time.Millisecond, 5 * time.Second
	pause, look := firstPause, look{every: spareLeast}
	for ctx.Err() == nil {
		n, places := slots.acquire(ctx, &look)
		if n == 0 {
			return
		}
		msgs, err := w.queue.Receive(ctx, n, w.cfg.Wait)
		for range n - len(msgs) {
			slots.free()
		}
		none := len(msgs) > 0
		for _, m := range msgs {
			none = !start(m) && none
		}
		if err == nil {
			w.receives()
			pause = firstPause
			switch {
			case len(msgs) == 0 || places == placeUsual && !look.alone:
				look.every = spareLeast
			case places != placeUsual && !none: // there may be more of them
				look.every = 0
			case places == placeExtra:
				look.vain()
			case places == placeSpare && none:
				if !Wait(ctx, min(max(look.every, spareLeast), spareMost)) {
					return
				}
				look.vain()
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		w.metrics.failures.WithLabelValues(w.cfg.Name, "receive").Inc()
		if since := time.Since(w.begun); w.away.CompareAndSwap(0, int64(max(since, 1))) { // told when it begins and when it is over
			w.log.Warn("receive failed; trying again", zap.Error(err))
		}
		if !Wait(ctx, pause) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// receives notes that the queue answers.
func (w *Worker) receives() {
	if away := w.away.Load(); away != 0 && w.away.CompareAndSwap(away, 0) {
		w.log.Info("messages are received again", zap.Duration("after", time.Since(w.begun)-time.Duration(away)))
	}
}

// Wait waits for d, or until ctx ends, and reports whether it waited all of d.
func Wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// serve handles one message after the other, and gives back the slot of each. Handlers stay, as many as were in hand at
// once, because their stacks have grown to what a store's driver needs: a goroutine for each message would grow its own.
func (w *Worker) serve(ctx context.Context, msg Message, next <-chan Message, slots *slots, verdicts chan<- settled) {
	for more := true; more; msg, more = <-next {
		w.handle(ctx, msg, verdicts)
		w.shares.free(msg)
		slots.free()
	}
}

func (w *Worker) handle(ctx context.Context, msg Message, verdicts chan<- settled) {
	gauge := w.metrics.inFlight.WithLabelValues(w.cfg.Name)
	gauge.Inc()
	defer gauge.Dec()
	w.hold(msg)
	begun := time.Now()
	v := w.verdict(ctx, msg)
	if v.kind == kindLeave || v.kind == kindHandBack {
		w.release(msg) // at once: prolonging it now would hide it from others
	}
	w.metrics.done(w.cfg.Name, v, time.Since(begun))
	verdicts <- settled{msg: msg, verdict: v, release: w.release}
}

// putOff has a message come again later because its group's places are taken.
func (w *Worker) putOff(msg Message, verdicts chan<- settled) {
	w.hold(msg)
	w.metrics.handled.WithLabelValues(w.cfg.Name, verdictPutOff).Inc()
	verdicts <- settled{msg: msg, verdict: RetryAfter(putOffFor, nil), release: w.release}
}

func (w *Worker) verdict(ctx context.Context, msg Message) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("handler panicked; the message comes back when its visibility lapses",
				msg.about(), zap.Int("receives", msg.Receives),
				zap.String("panic", fmt.Sprint(p)), zap.ByteString("stack", debug.Stack()))
			v = Leave()
		}
	}()
	if v = w.handler.Handle(ctx, msg, w.draining); v.unread() {
		return w.moved(ctx, msg, v)
	}
	return v
}

func (w *Worker) hold(msg Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inHand[msg.Receipt] = msg
}

func (w *Worker) release(msg Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.inHand, msg.Receipt)
}

// keepInvisible prolongs what is in hand until it is settled, in batches.
func (w *Worker) keepInvisible(ctx context.Context, stop <-chan struct{}) {
	every := max(w.cfg.Visibility/3, time.Second/10)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, batch := range w.held() {
			call, cancel := context.WithTimeout(ctx, every) // a hung call must not cost the others their visibility
			err := w.queue.Extend(call, batch, w.cfg.Visibility)
			cancel()
			if err == nil || ctx.Err() != nil {
				continue
			}
			w.metrics.failures.WithLabelValues(w.cfg.Name, "extend").Inc()
			if _, partial := errors.AsType[*BatchError](err); !partial {
				w.log.Warn("keeping messages invisible failed", zap.Error(err))
			}
		}
	}
}

func (w *Worker) held() [][]Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var batches [][]Message
	for _, m := range w.inHand {
		if n := len(batches); n == 0 || len(batches[n-1]) == MaxBatch {
			batches = append(batches, make([]Message, 0, MaxBatch))
		}
		batches[len(batches)-1] = append(batches[len(batches)-1], m)
	}
	return batches
}
