package queue

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// BenchmarkLatency sends at the steady rate the design asks for, 1,700
// messages a second, each a call of its own, and reports how long the calls
// took and how long messages were under way from before the call to their
// receiver. b.N is the number of messages.
func BenchmarkLatency(b *testing.B) {
	const rate = 1700
	q := openQueue(b, openWatch(b, b.TempDir()), "work", Config{})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	body := bytes.Repeat([]byte("n"), 400)
	var mu sync.Mutex
	var sends, arrivals []time.Duration

	var receivers, senders sync.WaitGroup
	for range 4 {
		receivers.Go(func() {
			for ctx.Err() == nil {
				msgs, err := q.Receive(ctx, worker.MaxBatch, worker.MaxWait)
				if err != nil {
					return
				}
				mu.Lock()
				for _, m := range msgs {
					arrivals = append(arrivals, time.Since(m.SentAt))
				}
				mu.Unlock()
				if err := q.Delete(context.WithoutCancel(ctx), msgs); err != nil {
					b.Error(err)
				}
			}
		})
	}
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	b.ResetTimer()
	for range b.N {
		<-tick.C
		senders.Go(func() {
			start := time.Now()
			if err := q.Send(ctx, []worker.Outgoing{{Body: body, Group: "acme"}}); err != nil {
				b.Error(err)
			}
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			sends = append(sends, took)
		})
	}
	senders.Wait()
	cancel()
	receivers.Wait()
	percentiles(b, "send", sends)
	percentiles(b, "arrive", arrivals)
}

func percentiles(b *testing.B, name string, took []time.Duration) {
	b.Helper()
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(p float64) float64 { return took[int(p*float64(len(took)-1))].Seconds() * 1e3 }
	b.ReportMetric(at(0.5), name+"-p50-ms")
	b.ReportMetric(at(0.99), name+"-p99-ms")
	b.ReportMetric(at(1), name+"-max-ms")
}
