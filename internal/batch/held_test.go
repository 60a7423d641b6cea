package batch_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

func held(id push.ID, s push.State) *world {
	w := loadedAs(id, s, 2)
	w.change(func(p *push.Progress) {
		p.Held[push.PartIOS] = push.Hold{Code: push.CodeFCMThirdPartyAuth, Refused: 20, Since: time.Unix(1, 0)}
	})
	return w
}

// TestResumeHeld: what is held goes on, single notifications included, with a brake
// or without; a pause keeps it held, and a resume ends both.
func TestResumeHeld(t *testing.T) {
	t.Parallel()
	for _, id := range []push.ID{push.NewID(push.PrefixBatch), push.NewID(push.PrefixNotification)} {
		for _, off := range []bool{false, true} {
			for _, state := range []push.State{push.StateAccepted, push.StateSending, push.StatePaused} {
				w := held(id, state)
				op := (*batch.Batches).Resume
				if off {
					op = (*batch.Batches).ResumeUnbraked
				}
				n, err := op(room(t, w, 0), t.Context(), tenant, id)
				p := n.Progress
				if err != nil || p.Held.Any() || p.BrakeOff != off || p.Generation != 1 || p.State == push.StatePaused || len(w.tasks(t)) != 1 {
					t.Errorf("%s of %s, brake off %v: %+v, %d tasks (%v)", state, id, off, p, len(w.tasks(t)), err)
				}
			}
		}
	}
}

// TestResumeNotHeld changes nothing, but that the brake may be taken off beforehand.
func TestResumeNotHeld(t *testing.T) {
	t.Parallel()
	w := loaded(push.StateSending, 2)
	b := room(t, w, 0)
	before := w.progress()
	if _, err := b.Resume(t.Context(), tenant, w.id); err != nil || w.progress() != before {
		t.Errorf("%+v (%v)", w.progress(), err)
	}
	if n, err := b.ResumeUnbraked(t.Context(), tenant, w.id); err != nil || !n.Progress.BrakeOff || n.Progress.Generation != 0 ||
		len(w.tasks(t)) != 0 {
		t.Errorf("%+v (%v)", n.Progress, err)
	}
}

// TestHeldLegal: what may be asked of what is held.
func TestHeldLegal(t *testing.T) {
	t.Parallel()
	w := held(push.NewID(push.PrefixBatch), push.StateSending)
	_, err := room(t, w, 0).StartEarly(t.Context(), tenant, w.id)
	e, ok := errors.AsType[*push.StateError](err)
	if !ok || e.State != "held" || !slices.Equal(e.Legal, []string{"pause", "resume", "cancel"}) {
		t.Errorf("start early: %v", err)
	}
	n, err := room(t, w, 0).Pause(t.Context(), tenant, w.id)
	if err != nil || n.Progress.State != push.StatePaused || !n.Progress.Held.Any() {
		t.Errorf("pause: %+v (%v)", n.Progress, err)
	}
	n, err = room(t, w, 0).Cancel(t.Context(), tenant, w.id)
	if err != nil || n.Progress.State != push.StateCancelled {
		t.Errorf("cancel: %+v (%v)", n.Progress, err)
	}
}

// TestPauseAndResume: a single notification pauses and goes on as a batch does; only
// what starts an upload is a batch's alone.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	for _, id := range []push.ID{push.NewID(push.PrefixBatch), push.NewID(push.PrefixNotification)} {
		w := loadedAs(id, push.StateSending, 2)
		b := room(t, w, 0)
		if n, err := b.Pause(t.Context(), tenant, id); err != nil || n.Progress.State != push.StatePaused || len(w.tasks(t)) != 0 {
			t.Errorf("pause of %s: %+v (%v)", id, n.Progress, err)
		}
		if n, err := b.Resume(t.Context(), tenant, id); err != nil || n.Progress.State == push.StatePaused || len(w.tasks(t)) != 1 {
			t.Errorf("resume of %s: %+v (%v)", id, n.Progress, err)
		}
	}
	w := loadedAs(push.NewID(push.PrefixNotification), push.StateUploading, 2)
	for name, start := range map[string]func(*batch.Batches) (push.Notification, error){
		"start":       func(b *batch.Batches) (push.Notification, error) { return b.Start(t.Context(), tenant, w.id) },
		"start early": func(b *batch.Batches) (push.Notification, error) { return b.StartEarly(t.Context(), tenant, w.id) },
	} {
		if _, err := start(room(t, w, 0)); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("%s of a single notification: %v", name, err)
		}
	}
}
