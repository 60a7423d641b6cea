package queue

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// BenchmarkNotifications is the path of single notifications: senders with
// one 400-byte message each, receivers that take and delete up to ten.
func BenchmarkNotifications(b *testing.B) {
	q := openQueue(b, openWatch(b, b.TempDir()), "work", Config{})
	throughput(b, q, 32, 4, 1, bytes.Repeat([]byte("n"), 400))
}

// BenchmarkChunks is the path of bulk deliveries: 60 KB a message, ten a call.
func BenchmarkChunks(b *testing.B) {
	q := openQueue(b, openWatch(b, b.TempDir()), "work", Config{})
	b.SetBytes(60 << 10)
	throughput(b, q, 2, 2, 10, bytes.Repeat([]byte("c"), 60<<10))
}

// throughput moves b.N messages through the queue.
func throughput(b *testing.B, q *Queue, senders, receivers, batch int, body []byte) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var toSend, toGet atomic.Int64
	toSend.Store(int64(b.N))
	toGet.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for {
				n := min(int64(batch), toSend.Add(-int64(batch))+int64(batch))
				if n <= 0 {
					return
				}
				msgs := make([]worker.Outgoing, n)
				for i := range msgs {
					msgs[i] = worker.Outgoing{Body: body, Group: fmt.Sprint("tenant-", s)}
				}
				if err := q.Send(ctx, msgs); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for range receivers {
		wg.Go(func() {
			for toGet.Load() > 0 {
				msgs, err := q.Receive(ctx, worker.MaxBatch, worker.MaxWait)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					b.Error(err)
					return
				}
				if err := q.Delete(context.WithoutCancel(ctx), msgs); err != nil {
					b.Error(err)
				}
				if toGet.Add(-int64(len(msgs))) <= 0 {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// BenchmarkReceiveGroups receives from a queue that holds messages of many
// groups.
func BenchmarkReceiveGroups(b *testing.B) {
	for _, groups := range []int{1, 100, 10_000} {
		b.Run(strconv.Itoa(groups), func(b *testing.B) {
			q := openQueue(b, openWatch(b, b.TempDir()), "work", Config{Visibility: time.Hour})
			var wg sync.WaitGroup
			for from := range 8 {
				wg.Go(func() {
					for g := from; g < 20_000; g += 8 {
						if err := q.Send(b.Context(), []worker.Outgoing{{Body: []byte("x"), Group: fmt.Sprint("tenant-", g%groups)}}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			for b.Loop() {
				msgs, err := q.Receive(b.Context(), worker.MaxBatch, 0)
				if err != nil || len(msgs) != worker.MaxBatch {
					b.Fatal(len(msgs), err)
				}
				if err := q.Extend(b.Context(), msgs, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
