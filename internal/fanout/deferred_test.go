package fanout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// quotas have room for so many recipients.
type quotas struct {
	room  int64
	wait  time.Duration
	asked []push.Charge
	first []bool
	back  int
	away  bool
}

// Start implements [fanout.Quotas].
func (q *quotas) Start(_ context.Context, c push.Charge, first bool) (time.Duration, error) {
	q.asked, q.first = append(q.asked, c), append(q.first, first)
	switch {
	case q.away:
		return 0, errors.New("it is away")
	case c.Recipients > q.room:
		return q.wait, nil
	}
	q.room -= c.Recipients
	return 0, nil
}

// Undo implements [fanout.Quotas].
func (q *quotas) Undo(_ context.Context, c push.Charge) {
	q.back, q.room = q.back+1, q.room+c.Recipients
}

// again returns the task that a verdict sends anew.
func (v verdict) again(t *testing.T) wire.Task {
	t.Helper()
	task, err := wire.DecodeTask([]byte(v.body))
	if err != nil || v.word != "retry" {
		t.Fatalf("%+v, %v", v, err)
	}
	return task
}

// deferred marks what is stored.
func (r *rig) deferred(id push.ID) {
	r.ledger.ChangeNotification(id, func(n *push.Notification) { n.Deferred = true })
}

// What was deferred waits on its queue until a quota has room, counts once, however often its task comes, and is
// not counted when nothing of it is sent any more.
func TestDeferred(t *testing.T) {
	t.Parallel()
	q := &quotas{wait: 1500 * time.Millisecond}
	r := setup(t)
	r.quotas = q
	r.restart(t)
	n := r.accept(push.Target{Tokens: []push.Token{"a", "b"}})
	r.deferred(n.ID)

	v := r.plan(n.ID)
	task := v.again(t)
	if v.after != 2*time.Second || task.Turn != 1 || len(r.ledger.AllLines()) != 0 || r.high.Len() != 0 {
		t.Fatalf("%+v, %+v: it must wait, and leave no trace", v, task)
	}
	if want := (push.Charge{Tenant: "acme", Notifications: 1, Recipients: 2, Queued: 2}); q.asked[0] != want || !q.first[0] {
		t.Errorf("charged %+v", q.asked[0])
	}
	r.restart(t) // whoever waits for it may die
	q.room = 5
	if v := r.handle(task); v.word != "ack" || r.high.Len() != 1 || q.first[1] || q.room != 3 {
		t.Fatalf("%+v, room %d", v, q.room)
	}
	if v := r.handle(task); v.word != "ack" || len(q.asked) != 2 || q.room != 3 {
		t.Errorf("%+v: it counts twice, room %d", v, q.room)
	}
	for name, end := range map[string]func(n *push.Notification){
		"cancelled": func(n *push.Notification) { n.Progress.State = push.StateCancelled },
		"expired":   func(n *push.Notification) { n.ExpiresAt = t0.Add(-time.Second) },
	} {
		r := setup(t)
		r.quotas = q
		r.restart(t)
		n := r.accept(push.Target{Tokens: []push.Token{"a", "b"}})
		r.deferred(n.ID)
		r.ledger.ChangeNotification(n.ID, end)
		if v := r.plan(n.ID); v.word != "ack" || len(q.asked) != 2 || len(r.ledger.AllLines()) != 1 {
			t.Errorf("%s: %+v, %d asked, %d lines", name, v, len(q.asked), len(r.ledger.AllLines()))
		}
	}
}

// What expires while it waits is looked at when it does.
func TestDeferredExpires(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.quotas = &quotas{wait: time.Hour}
	r.restart(t)
	n := r.accept(push.Target{Tokens: []push.Token{"a"}})
	r.deferred(n.ID)
	r.ledger.ChangeNotification(n.ID, func(n *push.Notification) { n.ExpiresAt = t0.Add(90 * time.Second) })
	if v := r.plan(n.ID); v.after != 90*time.Second {
		t.Errorf("%+v", v)
	}
}

// A page that could not be planned does not count, and a store of quotas that is away is waited for.
func TestDeferredFaults(t *testing.T) {
	t.Parallel()
	q := &quotas{room: 10}
	r := setup(t)
	r.quotas = q
	r.restart(t)
	n := r.accept(push.Target{Tokens: []push.Token{"a"}})
	r.deferred(n.ID)
	r.calls.Fail(3, false) // of the registry, once it is counted
	if v := r.plan(n.ID); v.word != "retry" || q.back != 1 || q.room != 10 {
		t.Errorf("%+v, room %d", v, q.room)
	}
	q.away = true
	if v := r.plan(n.ID); v.word != "retry" || r.high.Len() != 0 {
		t.Errorf("%+v", v)
	}
	q.away = false
	if v := r.plan(n.ID); v.word != "ack" || r.high.Len() != 1 {
		t.Errorf("%+v", v)
	}
}

// Of a batch each page waits by itself, and all of them count what the batch has.
func TestDeferredBatch(t *testing.T) {
	t.Parallel()
	for name, perSecond := range map[string]int{"plain": 0, "throttled": 1_000_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &quotas{room: 250, wait: 10 * time.Second}
			r := setup(t)
			r.quotas = q
			r.restart(t)
			n := r.batch(t, tokens(1, 100), tokens(101, 100), tokens(201, 100))
			r.deferred(n.ID)
			r.ledger.ChangeNotification(n.ID, func(n *push.Notification) { n.PerSecond = perSecond })
			tasks := []wire.Task{{Op: wire.OpPlan, Notification: n.ID, Page: wire.AllPages}}
			round := func() (waiting []wire.Task) {
				for len(tasks) > 0 {
					v := r.handle(tasks[0])
					if tasks = tasks[1:]; v.word == "retry" {
						waiting = append(waiting, v.again(t))
					}
					for r.tasks.Len() > 0 {
						if task, err := wire.DecodeTask(r.tasks.Take(0).Body); err == nil && task.Op != wire.OpCheck {
							tasks = append(tasks, task)
						}
					}
				}
				return waiting
			}
			waiting := round()
			if len(waiting) != 1 || r.bulk.Len() != 2 || q.room != 50 {
				t.Fatalf("%d wait, %d chunks, room %d", len(waiting), r.bulk.Len(), q.room)
			}
			r.closeAll(t)
			q.room, tasks, r.now = 100, waiting, r.now.Add(time.Minute)
			if waiting := round(); len(waiting) != 0 || r.bulk.Len() != 3 || q.room != 0 {
				t.Errorf("%d wait, %d chunks, room %d", len(waiting), r.bulk.Len(), q.room)
			}
		})
	}
}
