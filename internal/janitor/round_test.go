package janitor_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

const all = wire.AllPages

// A scene is a notification, and what is asked for it after some time.
type scene struct {
	name  string
	pages int
	tune  func(n *push.Notification)
	lines func(r *rig, id push.ID)
	after time.Duration // 0: just late
	want  []wire.Task   // without the notification's id
}

func state(s push.State) func(n *push.Notification) {
	return func(n *push.Notification) { n.Progress.State = s }
}

func recall(page int, epoch int64, chunks ...int) wire.Task {
	t := wire.Task{Op: wire.OpRecall, Page: page, Chunks: chunks}
	for range chunks {
		t.Epochs = append(t.Epochs, epoch)
	}
	return t
}

func task(op wire.Op, page int) wire.Task { return wire.Task{Op: op, Page: page} }

func one(s ledger.State) func(r *rig, id push.ID) {
	return func(r *rig, id push.ID) { r.line(id, 0, 0, s, nil) }
}

func scenes() []scene {
	notLast := func(l *ledger.Line) { l.Last = false }
	return []scene{
		{"a planned line", 1, nil, one(ledger.StatePlanned), 0, []wire.Task{recall(0, 1, 0)}},
		{"a waiting line", 1, nil, one(ledger.StateWaiting), 0, []wire.Task{recall(0, 1, 0)}},
		{"a claimed line", 1, nil, one(ledger.StateClaimed), 0, []wire.Task{recall(0, 1, 0)}},
		{"a line that stayed parked after the resume", 1, nil, one(ledger.StateParked), 0, []wire.Task{recall(0, 1, 0)}},
		{"a line that is not late yet", 1, nil, one(ledger.StateWaiting), late - time.Second, nil},
		{"a line that a replay opened", 1, nil, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateWaiting, func(l *ledger.Line) { l.Owner = string(push.NewID(push.PrefixReplay)) })
		}, 0, nil},
		{"a line that a replay opened, past the deadline", 1, nil, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateWaiting, func(l *ledger.Line) { l.Owner = string(push.NewID(push.PrefixReplay)) })
		}, 11 * time.Hour, nil},
		{"a line that a replay opened, cancelled", 1, state(push.StateCancelled), func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateWaiting, func(l *ledger.Line) { l.Owner = string(push.NewID(push.PrefixReplay)) })
		}, 0, []wire.Task{recall(0, 1, 0)}},
		{"a line that is due later", 1, nil, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateWaiting, func(l *ledger.Line) { l.Due = time.Now().Add(time.Hour) })
		}, 59 * time.Minute, nil},
		{"a line that was due long ago", 1, nil, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateWaiting, func(l *ledger.Line) { l.Due = time.Now().Add(time.Hour) })
		}, time.Hour + late, []wire.Task{recall(0, 1, 0)}},
		{"a line that is due after the deadline", 1, nil, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateWaiting, func(l *ledger.Line) { l.Due = time.Now().Add(1000 * time.Hour) })
		}, 10*time.Hour + 2*time.Minute, []wire.Task{recall(0, 1, 0)}},
		{"two pages, one line late", 2, nil, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateClosed, notLast)
			r.line(id, 0, 1, ledger.StateWaiting, nil)
			r.line(id, 1, 0, ledger.StateClosed, nil)
		}, 0, []wire.Task{recall(0, 1, 1), task(wire.OpCheck, all)}},

		{"a task that never came", 1, nil, nil, 0, []wire.Task{task(wire.OpPlan, 0)}},
		{"a page that was not planned", 3, nil, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateClosed, nil)
			r.line(id, 2, 0, ledger.StateClosed, notLast)
		}, 0, []wire.Task{task(wire.OpPlan, 1), task(wire.OpPlan, 2), task(wire.OpCheck, all)}},
		{"a batch without pages", 0, nil, nil, 0, []wire.Task{task(wire.OpCheck, all)}},
		{"all done, not completed", 1, nil, one(ledger.StateClosed), 5 * time.Minute, []wire.Task{task(wire.OpCheck, all)}},
		{"all done a moment ago", 1, nil, one(ledger.StateClosed), 4 * time.Minute, nil},

		{"a throttled batch whose chain broke off", 2, func(n *push.Notification) { n.PerSecond = 10 }, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateClosed, notLast)
			r.line(id, 0, 1, ledger.StatePlanned, nil)
		}, 0, []wire.Task{task(wire.OpPlan, all), task(wire.OpCheck, all)}},
		{"a throttled batch under way", 2, func(n *push.Notification) { n.PerSecond = 10 }, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StatePlanned, notLast)
			r.line(id, 0, 1, ledger.StateClosed, func(l *ledger.Line) { l.UpdatedAt = time.Now().Add(time.Hour) })
		}, time.Hour, nil},
		{
			"a throttled line that waits", 1, func(n *push.Notification) { n.PerSecond = 10 }, one(ledger.StateWaiting), 0,
			[]wire.Task{recall(0, 1, 0)},
		},
		{
			"a batch that is sent early, whose chain broke off", 2, func(n *push.Notification) { n.Progress.Early = true }, one(ledger.StateClosed),
			0,
			[]wire.Task{task(wire.OpPlan, all), task(wire.OpCheck, all)},
		},
		{
			"a batch that is sent early, and waits for its upload", 1, func(n *push.Notification) { n.Progress.Early = true },
			one(ledger.StateClosed), time.Hour, nil,
		},

		{"uploading", 1, state(push.StateUploading), nil, 100 * time.Hour, nil},
		{"completed", 1, state(push.StateCompleted), one(ledger.StateWaiting), 100 * time.Hour, nil},
		{"in the outbox", 1, func(n *push.Notification) { n.Progress.Enqueued = false }, nil, time.Hour, nil},
		{"paused", 2, state(push.StatePaused), one(ledger.StateParked), 9 * time.Hour, nil},
		{"held", 1, held, one(ledger.StateParked), 9 * time.Hour, nil},
		{"held, at a pace", 1, func(n *push.Notification) { held(n); n.PerSecond = 10 }, one(ledger.StateParked), 9 * time.Hour, nil},
		{"held, and a line lost", 1, held, func(r *rig, id push.ID) {
			r.line(id, 0, 0, ledger.StateParked, notLast)
			r.line(id, 0, 1, ledger.StateWaiting, nil)
		}, 0, []wire.Task{recall(0, 1, 1), task(wire.OpCheck, all)}},
		{"held, past its time", 1, held, one(ledger.StateParked), 10*time.Hour + 2*time.Minute, []wire.Task{recall(0, 1, 0)}},
		{"paused, and nothing open", 1, state(push.StatePaused), one(ledger.StateClosed), time.Hour, []wire.Task{task(wire.OpCheck, all)}},

		{"cancelled, a line left", 1, state(push.StateCancelled), one(ledger.StateWaiting), 5 * time.Minute, []wire.Task{recall(0, 1, 0)}},
		{"cancelled, a line of an owner that died", 1, state(push.StateCancelled), one(ledger.StateClaimed), 0, []wire.Task{recall(0, 1, 0)}},
		{"cancelled, an owner that may finish", 1, state(push.StateCancelled), one(ledger.StateClaimed), late - time.Second, nil},
		{
			"cancelled, a page left", 2, state(push.StateCancelled), one(ledger.StateClosed), 0,
			[]wire.Task{task(wire.OpCancel, 1), task(wire.OpCheck, all)},
		},
		{"cancelled, all done", 1, state(push.StateCancelled), one(ledger.StateClosed), 5 * time.Minute, []wire.Task{task(wire.OpCheck, all)}},
		{
			"cancelled and finished", 1, func(n *push.Notification) { n.Progress.State, n.Progress.Finished = push.StateCancelled, true },
			one(ledger.StateClosed), time.Hour, nil,
		},
		{"dead-lettered, a line left", 2, state(push.StateDeadLettered), one(ledger.StateWaiting), 0, []wire.Task{recall(0, 1, 0)}},
		{"dead-lettered, nothing open", 2, state(push.StateDeadLettered), one(ledger.StateClosed), time.Hour, nil},
	}
}

func TestWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			in(t, func(r *rig) { s.check(r) })
		})
	}
}

func (s *scene) check(r *rig) {
	r.t.Helper()
	id := r.batch(s.pages, s.tune)
	if s.lines != nil {
		s.lines(r, id)
	}
	if s.after == 0 {
		s.after = late
	}
	r.sleep(s.after)
	found := r.round()
	want := slices.Clone(s.want)
	for i := range want {
		want[i].Notification = id
	}
	if diff := cmp.Diff(want, r.taken(), cmpopts.EquateEmpty()); diff != "" {
		r.t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if asked := len(want) > 0; found.Any() != asked || len(r.told.events) > 0 != asked || r.logs.Len() > 0 != asked {
		r.t.Errorf("found %+v, %d events, %d lines in the log", found, len(r.told.events), r.logs.Len())
	}
	r.round() // asks nothing twice
	if again := r.taken(); len(again) != 0 {
		r.t.Errorf("asked again at once: %+v", again)
	}
}

func held(n *push.Notification) {
	n.Progress.Held[push.PartIOS] = push.Hold{Code: push.CodeFCMThirdPartyAuth, Refused: 20}
}

// TestHeldGauge: how many wait for an operator can be alerted on.
func TestHeldGauge(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		r.batch(1, held)
		r.batch(1, nil)
		r.sleep(2 * time.Minute)
		if found := r.round(); found.Held != 1 || r.metric("belfry_notifications_held", "") != 1 {
			t.Errorf("found %+v, the gauge is %v", found, r.metric("belfry_notifications_held", ""))
		}
	})
}

// TestPastTheDeadline: nothing stays open past its time, whatever state it is in.
func TestPastTheDeadline(t *testing.T) {
	t.Parallel()
	for _, s := range []push.State{push.StateAccepted, push.StateSending, push.StatePaused, push.StateDeadLettered} {
		for _, early := range []bool{false, true} {
			t.Run(string(s), func(t *testing.T) {
				t.Parallel()
				in(t, func(r *rig) {
					id := r.batch(3, func(n *push.Notification) { n.Progress.State, n.Progress.Early, n.TTL = s, early, 90*time.Second })
					r.line(id, 0, 0, ledger.StateParked, func(l *ledger.Line) { l.Last = false })
					r.line(id, 0, 1, ledger.StateClaimed, func(l *ledger.Line) { l.UpdatedAt = time.Now().Add(2 * time.Minute) })
					r.line(id, 1, 0, ledger.StateClosed, nil)
					r.sleep(2 * time.Minute)
					if s != push.StatePaused { // nor before
						r.round()
						if early := r.taken(); len(early) != 0 {
							t.Errorf("asked within the grace: %+v", early)
						}
					}
					r.sleep(time.Minute)
					found := r.round()
					want := []wire.Task{recall(0, 1, 0, 1), recall(2, 0), task(wire.OpCheck, all)}
					if s == push.StateDeadLettered {
						want = want[:1]
					}
					for i := range want {
						want[i].Notification = id
					}
					if diff := cmp.Diff(want, r.taken(), cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("tasks (-want +got):\n%s", diff)
					}
					if found.Expired != 2 || found.Chunks != 0 || r.metric("belfry_janitor_lost_total", "expired_chunk") != 2 {
						t.Errorf("found %+v", found)
					}
					if r.progress(id).Early {
						t.Error("its upload is still open")
					}
				})
			})
		}
	}
}

// TestDeadLetteredFinishes: what could not be expanded leaves the list when
// nothing of it can be sent any more.
func TestDeadLetteredFinishes(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		id := r.batch(3, state(push.StateDeadLettered))
		r.line(id, 0, 0, ledger.StateClosed, nil)
		r.sleep(10*time.Hour + time.Minute)
		r.round()
		if p := r.progress(id); !p.Finished || len(r.taken()) != 0 {
			t.Errorf("finished is %v", p.Finished)
		}
		if f := r.round(); f.Unfinished != 0 {
			t.Errorf("%d are still listed", f.Unfinished)
		}
	})
}

// TestAFullQueue: a message that may still wait on its queue is not lost yet.
func TestAFullQueue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		depth worker.Depth
		lost  bool // when it is late
	}{
		{"empty", worker.Depth{}, true},
		{"in somebody's hands", worker.Depth{InFlight: 1000}, true},
		{"delayed", worker.Depth{Delayed: 1000}, true},
		{"full of what is younger", worker.Depth{Visible: 1000, OldestAge: late / 2}, true},
		{"full since then", worker.Depth{Visible: 1000, OldestAge: late}, false},
		{"full of who knows what", worker.Depth{Visible: 1000}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, func(r *rig) {
				id := r.batch(2, nil)
				r.line(id, 0, 0, ledger.StateWaiting, nil)
				r.queues[push.QueueBulk].depth, r.queues[push.QueueNotifications].depth = c.depth, c.depth
				r.sleep(late)
				r.round()
				got := r.taken()
				if want := []bool{false, true}; want[len(got)/3] != c.lost {
					t.Errorf("asked: %+v", got)
				}
				r.sleep(6 * 20 * time.Minute)
				r.round()
				if got := r.taken(); len(got) != 3 {
					t.Errorf("asked when no queue is that slow: %+v", got)
				}
			})
		})
	}
}

// TestWaitsDouble: what kills fanout does so less and less often; what moves is
// asked for as usual.
func TestWaitsDouble(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		id := r.batch(2, func(n *push.Notification) { n.TTL = 100 * time.Hour })
		var asked []time.Duration
		start := time.Now()
		for time.Since(start) < 24*time.Hour {
			r.sleep(30 * time.Second)
			r.round()
			if len(r.taken()) > 0 {
				asked = append(asked, time.Since(start).Round(time.Minute))
			}
		}
		if len(asked) != 7 || asked[1]-asked[0] > 25*time.Minute || asked[6]-asked[5] < 10*time.Hour {
			t.Errorf("asked %d times, after %v", len(asked), asked)
		}
		r.line(id, 0, 0, ledger.StateClosed, nil) // it moved after all
		r.sleep(12 * time.Hour)
		r.round()
		if p := r.progress(id); len(r.taken()) == 0 || p.Reconciled != 1 {
			t.Errorf("counted %d", p.Reconciled)
		}
	})
}

// TestClocks: a clock that was set back, or differs, makes nobody's line a lost one
// at once, nor one that is never looked at.
func TestClocks(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		id := r.batch(1, nil)
		r.line(id, 0, 0, ledger.StateClaimed, func(l *ledger.Line) { l.UpdatedAt = time.Now().Add(4 * time.Minute) })
		r.sleep(2 * time.Minute)
		r.round()
		if got := r.taken(); len(got) != 0 {
			t.Errorf("a line two minutes ahead: %+v", got)
		}
		r.write(id, 0, time.Now().Add(48*time.Hour))
		r.round()
		if got := r.taken(); len(got) != 1 {
			t.Errorf("a line two days ahead: %+v", got)
		}
	})
}

// TestEvent tells of one notification what was found, and no more.
func TestEvent(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		id := r.batch(2, func(n *push.Notification) { n.Labels = map[string]string{"campaign": "spring"} })
		r.line(id, 0, 0, ledger.StateWaiting, nil)
		r.sleep(late)
		r.round()
		if len(r.told.events) != 1 {
			t.Fatalf("%d events", len(r.told.events))
		}
		e := r.told.events[0]
		var data map[string]any
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		if e.Type != wire.EventReconciled || e.Subject != string(id) || e.Source != "belfry" {
			t.Errorf("event %+v", e)
		}
		want := map[string]any{
			"id": string(id), "tenant": "acme", "labels": map[string]any{"campaign": "spring"}, "state": "accepted",
			"quiet_since": data["quiet_since"],
			"app":         "default", "chunks": 1.0, "recipients": 10.0, "pages": 1.0, "expired": false, "releases": false, "completes": false,
		}
		if diff := cmp.Diff(want, data); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
	})
}

// TestLargeOnesAreReadSeldom: a batch of many lines is not read every round.
func TestLargeOnesAreReadSeldom(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		id := r.batch(1, nil)
		for i := range 600 {
			r.line(id, 0, i, ledger.StateWaiting, func(l *ledger.Line) { l.Last = i == 599 })
		}
		r.sleep(2 * time.Minute)
		for range 10 {
			r.round()
			r.sleep(30 * time.Second)
		}
		if n := r.reads.Load(); n != 3 {
			t.Errorf("600 lines were read in %d calls within five minutes", n)
		}
		r.sleep(late)
		r.round()
		if got := r.taken(); len(got) != 2 || len(got[0].Chunks) != 600 {
			t.Errorf("%d tasks", len(got))
		}
	})
}
