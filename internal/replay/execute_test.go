package replay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// executing runs an executor of the room while f works.
func executing(ctx context.Context, r *Room, f func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Execute(ctx)
	}()
	f()
	cancel()
	<-ended
}

// until waits in steps until the run is as wanted, and returns it.
func (w *world) until(id push.ID, longest time.Duration, wanted func(*Run) bool) Run {
	w.T.Helper()
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		run, err := w.room.run(w.Context(), id)
		w.Must(err)
		if wanted(&run) {
			return run
		}
		if time.Since(begun) > longest {
			w.T.Fatalf("after %v: %s of %q", longest, run.State, run.Owner)
		}
	}
}

func completed(r *Run) bool { return r.State == RunCompleted }

// once fails unless every letter was delivered exactly once.
func (w *world) once(n int) {
	w.T.Helper()
	if len(w.Accepted()) != n {
		w.T.Fatalf("%d recipients were delivered to, want %d", len(w.Accepted()), n)
	}
	for at, k := range w.Accepted() {
		if k != 1 {
			w.T.Fatalf("%s#%d got it %d times", at.Ref, at.Cell, k)
		}
	}
}

// other returns a second process's room on the same stores.
func (w *world) other(change func(*Config)) *Room {
	w.T.Helper()
	cfg := w.cfg
	cfg.Owner = "other"
	if change != nil {
		change(&cfg)
	}
	room, err := New(cfg)
	w.Must(err)
	return room
}

func TestExecuteStartsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		w.running(always(push.CodeSent), func() {
			executing(t.Context(), w.room, func() {
				synctest.Wait() // it waits for work
				run := w.start(Options{})
				w.until(run.ID, time.Second, func(r *Run) bool { return r.Owner != "" })
				w.until(run.ID, time.Minute, completed)
			})
		})
		w.once(20)
	})
}

// What was started elsewhere is found, more than an executor takes at a time.
func TestExecuteFinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		var runs []Run
		for range 2 * maxExecuted {
			ref := w.Chunk(dead, dead)
			w.Die(ref)
			time.Sleep(time.Second)
			s, err := w.room.Simulate(t.Context(), predict.SimulateRequest{Filter: push.LetterFilter{Notification: ref.Notification}})
			w.Must(err)
			run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID})
			w.Must(err)
			runs = append(runs, run)
		}
		w.running(always(push.CodeSent), func() {
			executing(t.Context(), w.other(nil), func() {
				for i := range runs {
					w.until(runs[i].ID, time.Minute, completed)
				}
			})
		})
		w.once(4 * maxExecuted)
	})
}

// A run whose process was killed is taken over, but not before the silence.
func TestExecuteTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(30)
		run := w.start(Options{})
		w.Calls.Die(9, true)
		if _, err := w.room.Run(t.Context(), run.ID); err == nil {
			t.Fatal("it did not die")
		}
		w.reboot()
		begun := time.Now()
		w.running(always(push.CodeSent), func() {
			executing(t.Context(), w.other(nil), func() { w.until(run.ID, time.Minute, completed) })
		})
		if took := time.Since(begun); took < silence {
			t.Errorf("taken over after %v, want the silence of %v", took, silence)
		}
		w.once(30)
	})
}

// Who lives is left alone, however long it takes; what it leaves on a stop is
// gone on with at once.
func TestExecuteLeavesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		run := w.start(Options{Rate: 0.05}) // a save every 20 s: in between the pulse alone shows that it lives
		w.running(always(push.CodeSent), func() {
			executing(t.Context(), w.other(nil), func() {
				owner := w.until(run.ID, time.Second, func(r *Run) bool { return r.Owner != "" }).Owner
				executing(t.Context(), w.room, func() {
					time.Sleep(2 * time.Minute)
					if now := w.until(run.ID, 0, func(*Run) bool { return true }); now.Owner != owner {
						t.Errorf("executed by %q, and then by %q", owner, now.Owner)
					}
				})
			})
			if left := w.until(run.ID, 0, func(*Run) bool { return true }); left.State != RunRunning || left.Owner != "" {
				t.Errorf("left as %s of %q", left.State, left.Owner)
			}
			begun := time.Now()
			executing(t.Context(), w.room, func() {
				w.until(run.ID, time.Second, func(r *Run) bool { return r.Owner != "" })
				w.until(run.ID, time.Hour, completed)
			})
			if took := time.Since(begun); took > 7*time.Minute {
				t.Errorf("the rest took %v", took)
			}
		})
		w.once(20)
	})
}

// mute is a store that takes no sign of life.
type mute struct{ *documenttest.Memory }

func (m mute) PutDocument(ctx context.Context, d document.Document) error {
	if d.Kind == kindPulse {
		return errors.New("away")
	}
	return m.Memory.PutDocument(ctx, d)
}

// One that lives and can't show it is taken over and fenced off.
func TestExecuteFences(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		run := w.start(Options{Rate: 0.05}) // a save every 20 s
		old := w.other(func(c *Config) { c.Documents = mute{w.Documents} })
		w.running(always(push.CodeSent), func() {
			fenced := make(chan error, 1)
			go func() {
				_, err := old.Run(t.Context(), run.ID)
				fenced <- err
			}()
			w.until(run.ID, time.Second, func(r *Run) bool { return r.Owner != "" })
			executing(t.Context(), w.room, func() {
				if err := <-fenced; !errors.Is(err, ErrTakenOver) {
					t.Errorf("the old one: %v", err)
				}
				w.until(run.ID, time.Hour, completed)
			})
		})
		w.once(20)
	})
}
