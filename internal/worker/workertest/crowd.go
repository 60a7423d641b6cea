package workertest

import (
	"sync"

	"github.com/belfry-push/belfry/internal/worker"
)

func crowdCases() []testCase {
	return []testCase{
		{name: "concurrent consumers get each message once", run: crowd},
	}
}

// crowd lets senders and consumers loose on one queue.
func crowd(k *kit) {
	const senders, each, consumers = 4, 60, 6
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				if err := k.Queue.Send(k.ctx, text("x")); err != nil {
					k.Errorf("Send: %v", err)
				}
			}
		})
	}
	var mu sync.Mutex
	seen := map[string]int{}
	count := func(msgs []worker.Message) (done bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range msgs {
			seen[m.ID]++
		}
		return len(seen) == senders*each
	}
	for range consumers {
		wg.Go(func() {
			for empty := 0; empty < 3; {
				msgs, err := k.Queue.Receive(k.ctx, 3, lapse)
				if err != nil {
					k.Errorf("Receive: %v", err)
					return
				}
				if len(msgs) == 0 {
					empty++
				}
				if err := k.Queue.Delete(k.ctx, msgs); err != nil {
					k.Errorf("Delete: %v", err)
				}
				if count(msgs) {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != senders*each {
		k.Errorf("received %d distinct messages, want %d", len(seen), senders*each)
	}
	for id, n := range seen {
		if n != 1 {
			k.Errorf("message %s was received %d times within its visibility timeout", id, n)
		}
	}
}
