package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zaptest"

	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// lane is a worker on a queue, as the bulk lane has it, with handlers that take as long
// as the test says.
type lane struct {
	queue workertest.Memory
	takes func(worker.Message) time.Duration

	mu        sync.Mutex
	dwell     map[string][]time.Duration // from send to handler, of messages that were not put off
	inHand    map[string]int
	most      map[string]int
	in        int
	mostInAll int
	done      map[string]int
}

const places = 26

// during works on the lane while f runs.
func (l *lane) during(t *testing.T, f func()) {
	t.Helper()
	l.dwell, l.inHand, l.most, l.done = map[string][]time.Duration{}, map[string]int{}, map[string]int{}, map[string]int{}
	w := worker.New(worker.Config{Name: "bulk", Concurrency: places, Visibility: 30 * time.Second, Wait: 20 * time.Second}, &l.queue,
		&workertest.Memory{}, worker.HandlerFunc(l.handle), zaptest.NewLogger(t), worker.NewMetrics(prometheus.NewRegistry()))
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(t.Context()) })
	f()
	w.Drain()
	wg.Wait()
}

func (l *lane) handle(_ context.Context, m worker.Message, draining <-chan struct{}) worker.Verdict {
	l.mu.Lock()
	l.dwell[m.Group] = append(l.dwell[m.Group], time.Since(m.SentAt))
	l.inHand[m.Group]++
	l.most[m.Group] = max(l.most[m.Group], l.inHand[m.Group])
	l.in++
	l.mostInAll = max(l.mostInAll, l.in)
	l.mu.Unlock()
	select {
	case <-time.After(l.takes(m)):
	case <-draining:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inHand[m.Group]--
	l.in--
	l.done[m.Group]++
	return worker.Ack()
}

func (l *lane) send(group string, n int) {
	for i := range n {
		l.queue.Put(worker.Outgoing{Body: fmt.Append(nil, i), Group: group})
	}
}

func (l *lane) p95(group string) time.Duration {
	d := slices.Sorted(slices.Values(l.dwell[group]))
	return d[(len(d)-1)*95/100]
}

// A tenant whose chunks take a quarter of a minute each does not keep another's from
// beginning, and loses only what is kept free for that.
func TestSlowGroupLeavesPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lane{takes: func(m worker.Message) time.Duration {
			if m.Group == "slow" {
				return 15 * time.Second
			}
			return 100 * time.Millisecond
		}}
		l.during(t, func() {
			l.send("quiet", 1)
			pause(time.Second)
			l.send("slow", 500)
			for range 120 {
				pause(503 * time.Millisecond)
				l.send("quiet", 1)
			}
			pause(time.Second)
		})
		t.Logf("the quiet one's p95 wait on the queue: %v; the slow one had up to %d of %d places", l.p95("quiet"), l.most["slow"], places)
		if got := l.p95("quiet"); got > 200*time.Millisecond {
			t.Errorf("the quiet one waited %v", got)
		}
		if l.done["quiet"] != 121 {
			t.Errorf("%d of the quiet one's messages are done, want 121", l.done["quiet"])
		}
		if got := l.most["slow"]; got < places*7/10 || got >= places {
			t.Errorf("the slow one had up to %d of %d places", got, places)
		}
	})
}

// A tenant that was alone and has all places, for long, does not keep others from beginning: they have a
// few more, until places come free.
func TestWhoComesLaterFindsPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lane{takes: func(m worker.Message) time.Duration {
			if m.Group == "slow" {
				return 15 * time.Second
			}
			return 100 * time.Millisecond
		}}
		l.during(t, func() {
			l.send("slow", 100)
			pause(5 * time.Second)
			l.mu.Lock()
			got := l.most["slow"]
			l.mu.Unlock()
			if got != places {
				t.Errorf("alone it had up to %d of %d places", got, places)
			}
			for i := range 200 {
				l.send(fmt.Sprint("quiet-", i), 1)
				pause(23 * time.Millisecond)
			}
			pause(time.Second)
		})
		var waits []time.Duration
		for group, d := range l.dwell {
			if group != "slow" {
				waits = append(waits, d...)
			}
		}
		slices.Sort(waits)
		if len(waits) != 200 {
			t.Fatalf("%d of 200 began", len(waits))
		}
		t.Logf("they waited %v (p95) and %v at the most; %d in hand at once", waits[190], waits[199], l.mostInAll)
		if waits[190] > 200*time.Millisecond || waits[199] > 1100*time.Millisecond {
			t.Errorf("they waited %v (p95) and %v at the most", waits[190], waits[199])
		}
		if l.mostInAll > places+places/4 {
			t.Errorf("%d in hand at once", l.mostInAll)
		}
	})
}

// Two tenants whose chunks are equally slow come to equal shares, although one had
// everything when the other came.
func TestGroupsComeToEqualShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lane{takes: func(worker.Message) time.Duration { return 5 * time.Second }}
		l.during(t, func() {
			l.send("first", 400)
			pause(17 * time.Second)
			if got := l.most["first"]; got != places {
				t.Errorf("alone it had up to %d of %d places", got, places)
			}
			l.send("second", 400)
			pause(30 * time.Second)
			l.mu.Lock()
			first, second := l.inHand["first"], l.inHand["second"]
			l.mu.Unlock()
			t.Logf("in hand: %d and %d", first, second)
			if min(first, second) < 10 || first+second < places-4 {
				t.Errorf("in hand: %d and %d", first, second)
			}
		})
	})
}

// A message that was received before is not put off, because that would hide how often.
func TestReceivedBeforeIsNotPutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lane{takes: func(worker.Message) time.Duration { return time.Minute }}
		l.during(t, func() {
			l.send("other", 1)
			pause(time.Second)
			l.send("slow", 100)
			pause(5 * time.Second)
			before := l.most["slow"]
			l.queue.PutMessage(worker.Message{Body: []byte("again"), Group: "slow", Receives: 1, SentAt: time.Now()})
			pause(5 * time.Second)
			if got := l.most["slow"]; got != before+1 {
				t.Errorf("%d in hand before, %d after", before, got)
			}
		})
	})
}

// What is put off comes again, unchanged, and nothing is lost.
func TestPutOffIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lane{takes: func(worker.Message) time.Duration { return 700 * time.Millisecond }}
		l.during(t, func() {
			l.send("b", 3)
			pause(10 * time.Millisecond)
			l.send("a", 300)
			pause(time.Minute)
		})
		if l.done["a"] != 300 || l.done["b"] != 3 {
			t.Errorf("done: %v", l.done)
		}
		if n := l.queue.Len(); n != 0 {
			t.Errorf("%d messages are left", n)
		}
		if l.queue.Sent() <= 303 {
			t.Error("nothing was put off: the test tells nothing")
		}
	})
}
