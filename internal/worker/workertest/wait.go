package workertest

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

func waitCases() []testCase {
	return []testCase{
		{name: "wait 0 returns at once", run: waitZero},
		{name: "a long poll that gets nothing is no error", run: waitInVain},
		{name: "a long poll wakes when a message is sent", run: waitForSend},
		{name: "a long poll wakes when a message is handed back", run: waitForHandBack},
		{name: "every waiting receiver gets its message", run: manyWaiters},
		{name: "a cancelled wait takes nothing with it", cfg: Config{Visibility: lapse}, run: cancelledWait},
		{name: "a cancelled context is refused", run: cancelledBefore},
	}
}

func waitZero(k *kit) {
	took := k.stopwatch()
	k.none(k.Queue, 0)
	took(0)
}

func waitInVain(k *kit) {
	took := k.stopwatch()
	k.none(k.Queue, lapse)
	took(lapse)
}

// received is the outcome of a receive on another goroutine.
type received struct {
	msgs []worker.Message
	err  error
}

// waiter starts a long poll and returns where its outcome will be. On a virtual
// clock it is certain to be waiting by then; on a real one it may not be yet,
// which must make no difference.
func (k *kit) waiter(ctx context.Context) <-chan received {
	out := make(chan received, 1)
	go func() {
		msgs, err := k.Queue.Receive(ctx, 1, worker.MaxWait)
		out <- received{msgs, err}
	}()
	if k.features.VirtualClock {
		synctest.Wait()
	}
	return out
}

func waitForSend(k *kit) {
	out := k.waiter(k.ctx)
	took := k.stopwatch()
	k.send(text("x")...)
	got := <-out
	took(0)
	if got.err != nil || len(got.msgs) != 1 || string(got.msgs[0].Body) != "x" {
		k.Errorf("received %v, %v; want the message", got.msgs, got.err)
	}
}

func waitForHandBack(k *kit) {
	k.send(text("x")...)
	m := k.one()
	out := k.waiter(k.ctx)
	took := k.stopwatch()
	k.extend(0, m)
	got := <-out
	took(0)
	if got.err != nil || len(got.msgs) != 1 || got.msgs[0].ID != m.ID {
		k.Errorf("received %v, %v; want the message", got.msgs, got.err)
	}
}

func manyWaiters(k *kit) {
	const n = 8
	outs := make([]<-chan received, n)
	for i := range outs {
		outs[i] = k.waiter(k.ctx)
	}
	took := k.stopwatch()
	k.sendMany("a", n) // in one batch: one wake-up must lead to the next
	ids := map[string]bool{}
	for _, out := range outs {
		got := <-out
		if got.err != nil || len(got.msgs) != 1 {
			k.Fatalf("received %d messages, %v; want one", len(got.msgs), got.err)
		}
		ids[got.msgs[0].ID] = true
	}
	took(0)
	if len(ids) != n {
		k.Errorf("%d receivers got %d distinct messages", n, len(ids))
	}
}

func cancelledWait(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	out := k.waiter(ctx)
	cancel()
	got := <-out
	if len(got.msgs) != 0 || got.err != nil && !errors.Is(got.err, context.Canceled) {
		k.Errorf("received %v, %v; want nothing, or the context's error", got.msgs, got.err)
	}
	k.send(text("x")...)
	took := k.stopwatch()
	k.remove(k.one())
	took(0)
}

func cancelledBefore(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	if err := k.Queue.Send(ctx, text("x")); !errors.Is(err, context.Canceled) {
		k.Errorf("Send: %v, want context.Canceled", err)
	}
	if msgs, err := k.Queue.Receive(ctx, 1, time.Second); len(msgs) != 0 || !errors.Is(err, context.Canceled) {
		k.Errorf("Receive: %v, %v, want context.Canceled", msgs, err)
	}
	k.none(k.Queue, 0)
}
