package batch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

type operation func(*batch.Batches, context.Context, string, push.ID) (push.Notification, error)

var operations = map[string]operation{
	"start": (*batch.Batches).Start, "start early": (*batch.Batches).StartEarly, "pause": (*batch.Batches).Pause,
	"resume": (*batch.Batches).Resume, "cancel": (*batch.Batches).Cancel,
}

// loaded returns a world with a batch of two pages in the given state, of which
// so many are planned, with open recipients.
func loaded(s push.State, planned int) *world {
	return loadedAs(push.NewID(push.PrefixBatch), s, planned)
}

// loadedAs is loaded for a notification with this id.
func loadedAs(id push.ID, s push.State, planned int) *world {
	w := &world{}
	w.begin(id)
	w.change(func(p *push.Progress) {
		p.State, p.Sources, p.Pages, p.Watermark, p.Enqueued = s, 10, 2, 10, true
		if s != push.StateUploading {
			p.StartedAt = time.Unix(1, 0)
		}
	})
	w.plan(planned, push.CodeOpen)
	return w
}

// plan stores the lines of so many pages, of five recipients each, who all have
// this outcome.
func (w *world) plan(pages int, outcome push.Code) {
	const each = 5
	for page := range pages {
		l := ledger.Line{
			Ref: push.ChunkRef{Notification: w.id, Seq: page * push.ChunksPerPage}, Tenant: tenant, Sources: each, Last: true,
			Cells: slices.Repeat([]ledger.Cell{ledger.CellOf(outcome, false)}, each),
		}
		if outcome != push.CodeOpen {
			l.State = ledger.StateClosed
		}
		w.ledger.PutLine(l)
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	same := func(op string, s push.State) [4]string { return [4]string{op, string(s), string(s), ""} }
	cases := [][4]string{ // operation, from, to ("" for a StateError), task
		{"start", "uploading", "accepted", "plan"},
		same("start", push.StateAccepted), same("start", push.StateSending), same("start", push.StateCompleted),
		{"start", "paused"},
		{"start", "cancelled"},
		{"start", "dead_lettered"},

		{"start early", "uploading", "accepted", "plan"},
		{"start early", "accepted"},
		{"start early", "sending"},
		{"start early", "paused"},
		{"start early", "completed"},
		{"start early", "cancelled"},
		{"start early", "dead_lettered"},

		{"pause", "accepted", "paused"},
		{"pause", "sending", "paused"},
		same("pause", push.StatePaused),
		{"pause", "uploading"},
		{"pause", "completed"},
		{"pause", "cancelled"},
		{"pause", "dead_lettered"},

		{"resume", "paused", "accepted", "plan"},
		same("resume", push.StateAccepted), same("resume", push.StateSending),
		{"resume", "uploading"},
		{"resume", "completed"},
		{"resume", "cancelled"},
		{"resume", "dead_lettered"},

		{"cancel", "uploading", "cancelled", "cancel"},
		{"cancel", "accepted", "cancelled", "cancel"},
		{"cancel", "sending", "cancelled", "cancel"},
		{"cancel", "paused", "cancelled", "cancel"},
		{"cancel", "dead_lettered", "cancelled", "cancel"},
		same("cancel", push.StateCancelled),
		{"cancel", "completed"},
	}
	for _, c := range cases {
		op, from, to, task := c[0], push.State(c[1]), push.State(c[2]), wire.Op(c[3])
		t.Run(op+" when "+string(from), func(t *testing.T) {
			t.Parallel()
			w := loaded(from, 1)
			before := w.progress()
			n, err := operations[op](room(t, w, 0), t.Context(), tenant, w.id)
			if to == "" {
				e, ok := errors.AsType[*push.StateError](err)
				if !ok || e.State != string(from) || e.Op != op || e.ID != w.id || slices.Contains(e.Legal, op) {
					t.Errorf("got %v", err)
				}
			} else if err != nil || n.Progress.State != to || n.Progress != w.progress() {
				t.Errorf("got %+v, %v", n.Progress, err)
			}
			if (to == "" || to == from) && w.progress() != before {
				t.Errorf("changed to %+v", w.progress())
			}
			if to != "" && to != from && !push.CanMove(from, to) {
				t.Errorf("the state machine has no %s to %s", from, to)
			}
			var want []wire.Task
			if task != "" {
				want = []wire.Task{{Op: task, Notification: w.id, Page: wire.AllPages, TraceParent: trace}}
			}
			if d := cmp.Diff(want, w.tasks(t)); d != "" || !w.progress().Enqueued {
				t.Errorf("enqueued %t, tasks: %s", w.progress().Enqueued, d)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	w := loaded(push.StateUploading, 0)
	b := room(t, w, 0)
	n, err := b.Start(t.Context(), tenant, w.id)
	if err != nil || n.Progress.StartedAt.IsZero() || n.Progress.StartedAt.Location() != time.UTC || !n.Progress.CompletedAt.IsZero() {
		t.Errorf("started: %+v, %v", n.Progress, err)
	}
	if n, err = b.Cancel(t.Context(), tenant, w.id); err != nil || n.Progress.CompletedAt.IsZero() {
		t.Errorf("cancelled: %+v, %v", n.Progress, err)
	}
}

func TestStartEmpty(t *testing.T) {
	t.Parallel()
	w := open()
	n, err := room(t, w, 0).Start(t.Context(), tenant, w.id)
	if err != nil || n.Progress.State != push.StateCompleted || n.Progress.CompletedAt.IsZero() || !n.Progress.Enqueued ||
		len(w.tasks(t)) != 0 {
		t.Errorf("got %+v, %v, %d tasks", n.Progress, err, len(w.tasks(t)))
	}
}

// The queue may be away: the outbox keeps the task, and asking again sends it.
func TestQueueAway(t *testing.T) {
	t.Parallel()
	w := loaded(push.StateUploading, 0)
	w.busy = true
	b := room(t, w, 0)
	n, err := b.Start(t.Context(), tenant, w.id)
	if err != nil || n.Progress.State != push.StateAccepted || n.Progress.Enqueued {
		t.Errorf("got %+v, %v", n.Progress, err)
	}
	w.busy = false
	n, err = b.Start(t.Context(), tenant, w.id)
	if err != nil || !n.Progress.Enqueued || len(w.tasks(t)) != 1 {
		t.Errorf("again: got %+v, %v, %d tasks", n.Progress, err, len(w.tasks(t)))
	}
}

// A cancellation between sending a plan's task and marking it keeps its place
// in the outbox.
func TestCancelledBeforeTheMark(t *testing.T) {
	t.Parallel()
	w := loaded(push.StateUploading, 0)
	w.meet = func() { // the start's own write; the next one is the mark
		w.meet = func() {
			w.change(func(p *push.Progress) { p.Version, p.State, p.Enqueued = p.Version+1, push.StateCancelled, false })
		}
	}
	if _, err := room(t, w, 0).Start(t.Context(), tenant, w.id); err != nil || w.progress().Enqueued {
		t.Errorf("got %+v, %v", w.progress(), err)
	}
}

func TestResumePlanned(t *testing.T) {
	t.Parallel()
	w := loaded(push.StatePaused, 2)
	n, err := room(t, w, 0).Resume(t.Context(), tenant, w.id)
	if err != nil || n.Progress.State != push.StateSending || len(w.tasks(t)) != 1 {
		t.Errorf("got %+v, %v, %d tasks", n.Progress, err, len(w.tasks(t)))
	}
}

// Deliveries that all have their outcome are completed to their owner, before
// fanout has written so.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"pause", "cancel"} {
		w := loaded(push.StateSending, 2)
		w.plan(2, push.CodeSent)
		_, err := operations[op](room(t, w, 0), t.Context(), tenant, w.id)
		if e, ok := errors.AsType[*push.StateError](err); !ok || e.State != "completed" || len(e.Legal) != 0 {
			t.Errorf("%s: got %v", op, err)
		}
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	for name, op := range operations {
		w := loaded(push.StateSending, 1)
		b := room(t, w, 0)
		before := w.progress()
		if _, err := op(b, t.Context(), "else", w.id); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("%s of another tenant: got %v", name, err)
		}
		if _, err := op(b, t.Context(), tenant, push.NewID(push.PrefixBatch)); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("%s of none: got %v", name, err)
		}
		single := loadedAs(push.NewID(push.PrefixNotification), push.StateSending, 1)
		_, err := op(room(t, single, 0), t.Context(), tenant, single.id)
		starts := strings.HasPrefix(name, "start") // only a batch has an upload
		if errors.Is(err, push.ErrNotFound) != starts {
			t.Errorf("%s of a single notification: got %v", name, err)
		}
		if w.progress() != before || starts && single.progress() != before {
			t.Errorf("%s changed %+v, %+v", name, w.progress(), single.progress())
		}
	}
}
