package replay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
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
	w.t.Helper()
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		run, err := w.room.run(w.ctx(), id)
		w.must(err)
		if wanted(&run) {
			return run
		}
		if time.Since(begun) > longest {
			w.t.Fatalf("after %v: %s of %q", longest, run.State, run.Owner)
		}
	}
}

func completed(r *Run) bool { return r.State == RunCompleted }

// once fails unless every letter was delivered exactly once.
func (w *world) once(n int) {
	w.t.Helper()
	if len(w.accepted) != n {
		w.t.Fatalf("%d recipients were delivered to, want %d", len(w.accepted), n)
	}
	for at, k := range w.accepted {
		if k != 1 {
			w.t.Fatalf("%s#%d got it %d times", at.ref, at.cell, k)
		}
	}
}

// other returns a second process's room on the same stores.
func (w *world) other(change func(*Config)) *Room {
	w.t.Helper()
	cfg := w.cfg
	cfg.Owner = "other"
	if change != nil {
		change(&cfg)
	}
	room, err := New(cfg)
	w.must(err)
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
			ref := w.chunk(dead, dead)
			w.die(ref)
			time.Sleep(time.Second)
			s, err := w.room.Simulate(t.Context(), SimulateRequest{Filter: push.LetterFilter{Notification: ref.Notification}})
			w.must(err)
			run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID})
			w.must(err)
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
		w.faults.arm(9, true)
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
type mute struct{ *papers }

func (m mute) PutDocument(ctx context.Context, d document.Document) error {
	if d.Kind == kindPulse {
		return errors.New("away")
	}
	return m.papers.PutDocument(ctx, d)
}

// One that lives and can't show it is taken over and fenced off.
func TestExecuteFences(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		run := w.start(Options{Rate: 0.05}) // a save every 20 s
		old := w.other(func(c *Config) { c.Documents = mute{w.papers} })
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

// What ages letters out tells those who only show them.
func TestRetentionPolicyIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		if e, err := w.room.Expiring(t.Context(), push.LetterFilter{}); err != nil || e != (Expiry{}) {
			t.Errorf("without a policy: %+v (%v)", e, err)
		}
		ages := w.other(func(c *Config) {
			c.Retention = Retention{Parked: 10 * 24 * time.Hour, Warn: 7 * 24 * time.Hour, Done: time.Hour}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			ages.RetainWatch(ctx)
		}()
		time.Sleep(4 * 24 * time.Hour)
		s, err := w.room.Stats(t.Context(), push.LetterFilter{})
		if err != nil || s.Expiring != 20 || s.Within != 7*24*time.Hour || time.Until(s.FirstExpiry) > 6*24*time.Hour {
			t.Errorf("after four days: %+v (%v)", s.Expiry, err)
		}
		time.Sleep(6*24*time.Hour + 30*time.Minute)
		if n := len(w.all()); n != 20 {
			t.Errorf("%d tombstones", n)
		}
		time.Sleep(2 * time.Hour)
		if n := len(w.all()); n != 0 {
			t.Errorf("%d letters are left", n)
		}
		cancel()
		<-ended
	})
}

// While all letters are young, retention and what it says of the future read the
// groups alone.
func TestRetentionReadsNoYoungLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		store := &reads{Shelf: w.cfg.Letters, Mover: w.cfg.Letters}
		ages := w.other(func(c *Config) {
			c.Letters, c.Retention = store, Retention{Parked: 10 * 24 * time.Hour, Warn: 7 * 24 * time.Hour, Done: time.Hour}
		})
		for day, want := range []struct {
			expiring int64
			reads    bool
		}{{0, false}, {0, false}, {0, false}, {20, true}} {
			store.n = 0
			done, err := ages.Retain(t.Context())
			if err != nil || done != (Retained{Expiring: want.expiring}) || store.n > 0 != want.reads {
				t.Errorf("day %d: %+v after reading letters %d times (%v)", day, done, store.n, err)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// reads counts the calls that read letters.
type reads struct {
	Shelf
	Mover

	n int
}

func (r *reads) LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error) {
	if !f.GroupsOnly() {
		r.n++
	}
	return r.Shelf.LetterGroups(ctx, f)
}

func (r *reads) Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error) {
	r.n++
	return r.Shelf.Letters(ctx, f, cursor, limit)
}
