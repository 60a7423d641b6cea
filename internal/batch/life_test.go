package batch_test

import (
	"context"
	"errors"
	"slices"
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

// loaded returns a house with a batch of two pages in the given state, of which
// so many are planned, with open recipients.
func loaded(s push.State, planned int) *house {
	h := open()
	p := &h.n.Progress
	p.State, p.Sources, p.Pages, p.Watermark, p.Enqueued = s, 10, 2, 10, true
	if s != push.StateUploading {
		p.StartedAt = time.Unix(1, 0)
	}
	h.counts = ledger.Counts{Recipients: int64(planned) * 5, PagesPlanned: planned}
	h.counts.ByCode[push.CodeOpen] = h.counts.Recipients
	return h
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
			h := loaded(from, 1)
			before := h.n.Progress
			n, err := operations[op](room(t, h, 0), t.Context(), tenant, h.n.ID)
			if to == "" {
				e, ok := errors.AsType[*push.StateError](err)
				if !ok || e.State != string(from) || e.Op != op || e.ID != h.n.ID || slices.Contains(e.Legal, op) {
					t.Errorf("got %v", err)
				}
			} else if err != nil || n.Progress.State != to || n.Progress != h.n.Progress {
				t.Errorf("got %+v, %v", n.Progress, err)
			}
			if (to == "" || to == from) && h.n.Progress != before {
				t.Errorf("changed to %+v", h.n.Progress)
			}
			if to != "" && to != from && !push.CanMove(from, to) {
				t.Errorf("the state machine has no %s to %s", from, to)
			}
			var want []wire.Task
			if task != "" {
				want = []wire.Task{{Op: task, Notification: h.n.ID, Page: wire.AllPages, TraceParent: h.n.TraceParent}}
			}
			if d := cmp.Diff(want, h.tasks); d != "" || !h.n.Progress.Enqueued {
				t.Errorf("enqueued %t, tasks: %s", h.n.Progress.Enqueued, d)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	h := loaded(push.StateUploading, 0)
	b := room(t, h, 0)
	n, err := b.Start(t.Context(), tenant, h.n.ID)
	if err != nil || n.Progress.StartedAt.IsZero() || n.Progress.StartedAt.Location() != time.UTC || !n.Progress.CompletedAt.IsZero() {
		t.Errorf("started: %+v, %v", n.Progress, err)
	}
	if n, err = b.Cancel(t.Context(), tenant, h.n.ID); err != nil || n.Progress.CompletedAt.IsZero() {
		t.Errorf("cancelled: %+v, %v", n.Progress, err)
	}
}

func TestStartEmpty(t *testing.T) {
	t.Parallel()
	h := open()
	n, err := room(t, h, 0).Start(t.Context(), tenant, h.n.ID)
	if err != nil || n.Progress.State != push.StateCompleted || n.Progress.CompletedAt.IsZero() || !n.Progress.Enqueued || len(h.tasks) != 0 {
		t.Errorf("got %+v, %v, %d tasks", n.Progress, err, len(h.tasks))
	}
}

// The queue may be away: the outbox keeps the task, and asking again sends it.
func TestQueueAway(t *testing.T) {
	t.Parallel()
	h := loaded(push.StateUploading, 0)
	h.busy = true
	b := room(t, h, 0)
	n, err := b.Start(t.Context(), tenant, h.n.ID)
	if err != nil || n.Progress.State != push.StateAccepted || n.Progress.Enqueued {
		t.Errorf("got %+v, %v", n.Progress, err)
	}
	h.busy = false
	n, err = b.Start(t.Context(), tenant, h.n.ID)
	if err != nil || !n.Progress.Enqueued || len(h.tasks) != 1 {
		t.Errorf("again: got %+v, %v, %d tasks", n.Progress, err, len(h.tasks))
	}
}

// A cancellation between sending a plan's task and marking it keeps its place
// in the outbox.
func TestCancelledBeforeTheMark(t *testing.T) {
	t.Parallel()
	h := loaded(push.StateUploading, 0)
	h.meet = func() { // the start's own write; the next one is the mark
		h.meet = func() {
			h.n.Progress.Version++
			h.n.Progress.State, h.n.Progress.Enqueued = push.StateCancelled, false
		}
	}
	if _, err := room(t, h, 0).Start(t.Context(), tenant, h.n.ID); err != nil || h.n.Progress.Enqueued {
		t.Errorf("got %+v, %v", h.n.Progress, err)
	}
}

func TestResumePlanned(t *testing.T) {
	t.Parallel()
	h := loaded(push.StatePaused, 2)
	n, err := room(t, h, 0).Resume(t.Context(), tenant, h.n.ID)
	if err != nil || n.Progress.State != push.StateSending || len(h.tasks) != 1 {
		t.Errorf("got %+v, %v, %d tasks", n.Progress, err, len(h.tasks))
	}
}

// Deliveries that all have their outcome are completed to their owner, before
// fanout has written so.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"pause", "cancel"} {
		h := loaded(push.StateSending, 2)
		h.counts.ByCode = [128]int64{push.CodeSent: 10}
		_, err := operations[op](room(t, h, 0), t.Context(), tenant, h.n.ID)
		if e, ok := errors.AsType[*push.StateError](err); !ok || e.State != "completed" || len(e.Legal) != 0 {
			t.Errorf("%s: got %v", op, err)
		}
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	for name, op := range operations {
		h := loaded(push.StateSending, 1)
		b := room(t, h, 0)
		before := h.n.Progress
		if _, err := op(b, t.Context(), "else", h.n.ID); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("%s of another tenant: got %v", name, err)
		}
		if _, err := op(b, t.Context(), tenant, push.NewID(push.PrefixBatch)); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("%s of none: got %v", name, err)
		}
		h.n.ID = push.NewID(push.PrefixNotification)
		_, err := op(b, t.Context(), tenant, h.n.ID)
		if single := errors.Is(err, push.ErrNotFound); single == (name == "cancel") {
			t.Errorf("%s of a single notification: got %v", name, err)
		}
		if name != "cancel" && h.n.Progress != before {
			t.Errorf("%s changed %+v", name, h.n.Progress)
		}
	}
}
