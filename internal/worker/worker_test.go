package worker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/worker"
)

// slow returns a handler that takes d, or until ctx or a drain ends it.
func slow(d time.Duration, v worker.Verdict) worker.HandlerFunc {
	return func(ctx context.Context, _ worker.Message, draining <-chan struct{}) worker.Verdict {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return v
		case <-draining:
			return worker.HandBack()
		case <-ctx.Done():
			return worker.Leave()
		}
	}
}

// stubborn returns a handler that takes d and minds nothing.
func stubborn(d time.Duration, v worker.Verdict) worker.HandlerFunc {
	return func(context.Context, worker.Message, <-chan struct{}) worker.Verdict {
		time.Sleep(d)
		return v
	}
}

// TestHeartbeat: what is in hand is prolonged well before its visibility
// lapses, and no longer once it is settled.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	run(t, worker.Config{Concurrency: 30}, stubborn(65*time.Second, worker.Ack()), func(r *rig) {
		var names []string
		for i := range 25 {
			names = append(names, fmt.Sprintf("m%02d", i))
		}
		r.put(names...)
		pause(64 * time.Second)
		last, longest, covered := time.Duration(0), time.Duration(0), map[string]int{}
		r.q.mu.Lock()
		for i, op := range r.q.ops {
			if rest, ok := strings.CutPrefix(op, "extend:30s:"); ok {
				longest, last = max(longest, r.q.at[i]-last), r.q.at[i]
				for id := range strings.SplitSeq(strings.TrimSuffix(rest, ";"), ";") {
					covered[id]++
				}
			}
		}
		r.q.mu.Unlock()
		if longest > visibility/2 {
			t.Errorf("%v without a heartbeat", longest)
		}
		for _, n := range names {
			if covered[n] < 6 {
				t.Errorf("%s was prolonged %d times in 64 s, want every 10 s", n, covered[n])
			}
		}
		pause(5 * time.Second)
		before := len(r.q.done())
		pause(5 * visibility)
		if after := r.q.done(); len(after) != before {
			t.Errorf("still at it after the verdicts: %v", after[before:])
		}
	})
}

// TestHeartbeatSurvivesTheQueue: neither errors nor a call that hangs end the
// heartbeats.
func TestHeartbeatSurvivesTheQueue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		hang bool
	}{{"errors", false}, {"calls that hang", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := &deaf{fake: newFake(), hang: c.hang}
				w := newWorker(t, q, stubborn(2*time.Minute, worker.Ack()))
				ended := make(chan struct{})
				go func() { defer close(ended); w.Run(t.Context()) }()
				q.in <- worker.Message{ID: "m", Receipt: "r"}
				pause(115 * time.Second)
				if n := q.beats.Load(); n < 5 {
					t.Errorf("%d heartbeats in 115 s", n)
				}
				w.Drain()
				<-ended
			})
		})
	}
}

// deaf is a queue that can't extend.
type deaf struct {
	*fake
	hang  bool
	beats atomic.Int64
}

func (d *deaf) Extend(ctx context.Context, _ []worker.Message, _ time.Duration) error {
	d.beats.Add(1)
	if d.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return errAway
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ concurrency, pollers int }{{1, 0}, {7, 1}, {7, 3}, {25, 4}} {
		t.Run(fmt.Sprintf("%d in hand, %d pollers", c.concurrency, c.pollers), func(t *testing.T) {
			t.Parallel()
			var now, most, done atomic.Int64
			h := worker.HandlerFunc(func(context.Context, worker.Message, <-chan struct{}) worker.Verdict {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Second)
				now.Add(-1)
				done.Add(1)
				return worker.Ack()
			})
			run(t, worker.Config{Concurrency: c.concurrency, Pollers: c.pollers}, h, func(r *rig) {
				for i := range 100 {
					r.put(fmt.Sprintf("m%d", i))
				}
				rounds := (100 + c.concurrency - 1) / c.concurrency
				pause(time.Duration(rounds)*time.Second + 500*time.Millisecond*time.Duration(rounds))
				putOff := counted(t, r.reg, "belfry_queue_messages_total", "put_off") // it looked for others' messages; this queue has them no more
				if most.Load() != int64(c.concurrency) || done.Load()+int64(putOff) != 100 {
					t.Errorf("at most %d in hand, %d of 100 done, %v put off", most.Load(), done.Load(), putOff)
				}
			})
		})
	}
}

// TestReceiveErrors: an error costs a pause, never a slot.
func TestReceiveErrors(t *testing.T) {
	t.Parallel()
	run(t, worker.Config{Concurrency: 3}, by(nil), func(r *rig) {
		r.q.setFail(func(op string) error {
			if strings.HasPrefix(op, "receive:") {
				return errAway
			}
			return nil
		})
		pause(10 * time.Minute)
		r.q.mu.Lock()
		tries := len(r.q.ops)
		r.q.mu.Unlock()
		if tries > 130 || tries < 110 {
			t.Errorf("%d receives in 10 min of errors, want about one in 5 s", tries)
		}
		r.q.setFail(nil)
		pause(5 * time.Second)
		r.q.mu.Lock()
		if last := r.q.ops[len(r.q.ops)-1]; last != "receive:3" {
			t.Errorf("%s: slots were lost", last)
		}
		r.q.mu.Unlock()
		if failed := counted(t, r.reg, "belfry_queue_errors_total", "receive"); failed != float64(tries) {
			t.Errorf("%v failures counted, want %d", failed, tries)
		}
		pause(worker.MaxWait)
		begun, over := r.logs.FilterMessageSnippet("receive failed").Len(), r.logs.FilterMessage("messages are received again").Len()
		if begun != 1 || over != 1 {
			t.Errorf("told %d times that it began and %d times that it was over", begun, over)
		}
	})
}

// TestDrain: no new receive, handlers are told, Run returns after the last
// verdict was carried out.
func TestDrain(t *testing.T) {
	t.Parallel()
	run(t, worker.Config{Concurrency: 4}, func(ctx context.Context, m worker.Message, draining <-chan struct{}) worker.Verdict {
		if m.ID == "deaf" {
			return stubborn(20*time.Second, worker.Ack())(ctx, m, draining)
		}
		return slow(time.Hour, worker.Ack())(ctx, m, draining)
	}, func(r *rig) {
		r.put("deaf", "a")
		pause(time.Second)
		r.w.Drain()
		r.w.Drain()
		pause(time.Second)
		r.put("late")
		if diff := cmp.Diff([]string{"extend:0s:a;"}, r.q.done()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		select {
		case <-r.ended:
			t.Fatal("Run returned with a message in hand")
		default:
		}
		<-r.ended
		if got := r.q.done(); got[len(got)-1] != "delete:deaf;" || got[1] != "extend:30s:deaf;" {
			t.Errorf("done: %v", got)
		}
		if len(r.q.in) != 1 {
			t.Error("received after the drain")
		}
	})
}

// TestCut: the end of ctx cuts handlers short; their verdicts still count.
func TestCut(t *testing.T) {
	t.Parallel()
	run(t, worker.Config{Concurrency: 4}, func(ctx context.Context, m worker.Message, _ <-chan struct{}) worker.Verdict {
		<-ctx.Done()
		if m.ID == "a" {
			return worker.Ack()
		}
		return worker.Leave()
	}, func(r *rig) {
		r.put("a", "b")
		pause(time.Second)
		start := time.Now()
		r.cut()
		<-r.ended
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		if diff := cmp.Diff([]string{"delete:a;"}, r.q.done()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestDrainBeforeRun: a worker that is told to stop first, stops.
func TestDrainBeforeRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{q: newFake()}
		r.w = newWorker(t, r.q, by(nil))
		r.w.Drain()
		r.w.Run(t.Context())
		if len(r.q.ops) > 1 {
			t.Errorf("done: %v", r.q.ops)
		}
	})
}

// TestMessagesWithAnError: messages that come together with an error are handled.
func TestMessagesWithAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &both{fake: newFake()}
		w := newWorker(t, q, by(map[string]worker.Verdict{"m": worker.Ack()}))
		ended := make(chan struct{})
		go func() { defer close(ended); w.Run(t.Context()) }()
		pause(time.Second)
		if diff := cmp.Diff([]string{"delete:m;"}, q.done()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.Drain()
		<-ended
	})
}

// both answers the first receive with a message and an error.
type both struct {
	*fake
	once atomic.Bool
}

func (b *both) Receive(ctx context.Context, limit int, wait time.Duration) ([]worker.Message, error) {
	if b.once.CompareAndSwap(false, true) {
		return []worker.Message{{ID: "m", Receipt: "r"}}, errAway
	}
	return b.fake.Receive(ctx, limit, wait)
}

func TestBatchError(t *testing.T) {
	t.Parallel()
	err := error(&worker.BatchError{Failed: map[int]error{3: errAway}})
	if !errors.Is(err, errAway) || !strings.Contains(err.Error(), errAway.Error()) {
		t.Errorf("error is %v", err)
	}
	if (&worker.BatchError{}).Error() == "" {
		t.Error("an empty error says nothing")
	}
}

// TestHandlersStay: a message is handled by a goroutine that has handled others, whose stack has grown.
func TestHandlersStay(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	by := map[string]int{}
	note := func(context.Context, worker.Message, <-chan struct{}) worker.Verdict {
		stack := make([]byte, 64)
		name, _, _ := strings.Cut(string(stack[:runtime.Stack(stack, false)]), "[")
		mu.Lock()
		defer mu.Unlock()
		by[name]++
		return worker.Ack()
	}
	run(t, worker.Config{Concurrency: 2}, worker.HandlerFunc(note), func(r *rig) {
		for i := range 20 {
			r.put(fmt.Sprintf("m%02d", i))
			pause(time.Second)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(by) > 2 {
			t.Errorf("handled by %d goroutines: %v", len(by), by)
		}
	})
}
