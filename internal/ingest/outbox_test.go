package ingest_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// accept takes n notifications.
func (r *rig) accept(t *testing.T, n int) (ids []push.ID) {
	t.Helper()
	for i := range n {
		got, err := r.intake.Accept(t.Context(),
			ingest.Submission{Tenant: "acme", Body: []byte(strings.Replace(hello, "Hi", strconv.Itoa(i), 1)), TraceParent: trace})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, got.Notification.ID)
	}
	return ids
}

// running runs the outbox, and the sweeper if told to, for as long as f does.
func running(t *testing.T, sweep bool, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := setup(t)
		ctx, stop := context.WithCancel(t.Context())
		var parts sync.WaitGroup
		parts.Go(func() { r.outbox.Run(ctx) })
		if sweep {
			parts.Go(func() { r.sweeper.Run(ctx) })
		}
		f(r)
		stop()
		parts.Wait()
	})
}

// queued returns how many tasks the queue took.
func (r *rig) queued() int {
	return len(r.tasks())
}

func pause(d time.Duration) { time.Sleep(d); synctest.Wait() }

func TestOutboxSendsAndMarks(t *testing.T) {
	t.Parallel()
	running(t, false, func(r *rig) {
		ids := r.accept(t, 25)
		synctest.Wait()
		tasks := r.tasks()
		if len(tasks) != 25 || r.unmarked() != 0 {
			t.Fatalf("%d tasks, %d unmarked", len(tasks), r.unmarked())
		}
		got := map[push.ID]wire.Task{}
		for i, task := range tasks {
			got[task.Notification] = task
			if group := r.queue.Peek(i).Group; group != "acme" {
				t.Errorf("group is %q: the queue can't be fair", group)
			}
		}
		for _, id := range ids {
			want := wire.Task{Op: wire.OpPlan, Notification: id, Page: wire.AllPages, TraceParent: trace}
			if diff := cmp.Diff(want, got[id]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

// TestReplayIsNotEnqueuedAgain: the first request's task is enough.
func TestReplayIsNotEnqueuedAgain(t *testing.T) {
	t.Parallel()
	running(t, false, func(r *rig) {
		for range 3 {
			if _, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Key: "k", Body: []byte(hello)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if r.queued() != 1 {
			t.Errorf("%d tasks", r.queued())
		}
	})
}

// TestBatchesWait: a batch is enqueued when it is started, not when it is made.
func TestBatchesWait(t *testing.T) {
	t.Parallel()
	running(t, true, func(r *rig) {
		if _, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: []byte(urgent), Batch: true}); err != nil {
			t.Fatal(err)
		}
		pause(time.Minute)
		if r.queued() != 0 {
			t.Errorf("%d tasks", r.queued())
		}
	})
}

// TestPartialFailure: what the queue refused stays unmarked until the sweeper
// has sent it.
func TestPartialFailure(t *testing.T) {
	t.Parallel()
	running(t, true, func(r *rig) {
		r.fault = func(call int) error {
			if call == 1 {
				return &worker.BatchError{Failed: map[int]error{0: errAway}}
			}
			return nil
		}
		r.accept(t, 1)
		synctest.Wait()
		if r.unmarked() != 1 || r.queued() != 0 {
			t.Fatalf("%d tasks, %d unmarked", r.queued(), r.unmarked())
		}
		pause(20 * time.Second)
		if r.unmarked() != 0 || r.queued() != 1 {
			t.Errorf("%d tasks, %d unmarked after a sweep", r.queued(), r.unmarked())
		}
		pause(time.Minute)
		if r.queued() != 1 {
			t.Errorf("%d tasks for one notification", r.queued())
		}
	})
}

// TestQueueAway: acceptance goes on, nothing is lost, and the absent queue is
// not asked once per notification.
func TestQueueAway(t *testing.T) {
	t.Parallel()
	running(t, true, func(r *rig) {
		var away atomic.Bool
		away.Store(true)
		r.fault = func(int) error {
			if away.Load() {
				return errAway
			}
			return nil
		}
		ids := r.accept(t, 300)
		synctest.Wait()
		if r.unmarked() != len(ids) {
			t.Fatalf("%d unmarked", r.unmarked())
		}
		before := r.sends.Load()
		pause(5 * time.Minute)
		if calls := r.sends.Load(); calls-before > 60 {
			t.Errorf("%d calls in 5 min, want one per sweep", calls-before)
		}
		away.Store(false)
		pause(time.Minute)
		if r.unmarked() != 0 || r.queued() != len(ids) {
			t.Errorf("%d tasks, %d unmarked", r.queued(), r.unmarked())
		}
	})
}

// TestCrash: what waited in a process that died is sent by the next one.
func TestCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead := setup(t)
		dead.accept(t, 3) // its outbox never runs
		running := setupOn(t, dead.ledger)
		if n, err := running.sweeper.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("swept %d at once (%v): too young, their process may be at it", n, err)
		}
		pause(11 * time.Second)
		if n, err := running.sweeper.Sweep(t.Context()); n != 3 || err != nil || running.unmarked() != 0 {
			t.Errorf("swept %d (%v), %d unmarked", n, err, running.unmarked())
		}
	})
}

// TestMarkLosesQuietly: somebody else moved the notification on meanwhile.
func TestMarkLosesQuietly(t *testing.T) {
	t.Parallel()
	running(t, false, func(r *rig) {
		r.fault = func(int) error { // between the sending and the marking
			for _, n := range r.recorded() {
				n.Progress.Version, n.Progress.State, n.Progress.Enqueued = 9, push.StateCompleted, true
				r.ledger.PutNotification(n)
			}
			return nil
		}
		id := r.accept(t, 1)[0]
		synctest.Wait()
		if p := r.stored(id).Progress; p.State != push.StateCompleted || p.Version != 9 {
			t.Errorf("overwritten: %+v", p)
		}
	})
}

// TestOutboxFull: beyond what fits in memory the sweeper sends.
func TestOutboxFull(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for range 8192 + 5 {
		r.outbox.Push(push.Notification{})
	}
	if n := r.counted(t, "belfry_outbox_deferred_total"); n != 5 {
		t.Errorf("%v deferred, want 5", n)
	}
}
