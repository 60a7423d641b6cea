package replay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// TestRunMoves checks every operation in every state against a table of its own.
func TestRunMoves(t *testing.T) {
	t.Parallel()
	legal := map[RunState]map[runOp]RunState{
		RunRunning:   {opPause: RunPaused, opStop: RunStopped, opCancel: RunCancelled, opComplete: RunCompleted},
		RunPaused:    {opResume: RunRunning, opCancel: RunCancelled},
		RunStopped:   {opResume: RunRunning, opCancel: RunCancelled},
		RunCancelled: {},
		RunCompleted: {},
	}
	for from, ops := range legal {
		if from.Final() != (len(ops) == 0) {
			t.Errorf("%s: final is %v", from, from.Final())
		}
		for _, op := range []runOp{opPause, opResume, opStop, opCancel, opComplete} {
			r := Run{ID: "rpl_1", State: from}
			err := r.move(op, "why", time.Now())
			want, ok := ops[op]
			if !ok {
				state, is := errors.AsType[*push.StateError](err)
				if !is || r.State != from || len(state.Legal) != len(ops) || !slices.IsSorted(state.Legal) {
					t.Errorf("%s of what is %s: %v", op, from, err)
				}
				continue
			}
			if err != nil || r.State != want || r.Why != "why" || r.EndedAt.IsZero() == want.Final() {
				t.Errorf("%s of what is %s: %+v (%v)", op, from, r, err)
			}
		}
	}
}

// running lets a world deliver while f works: outcome decides what becomes of
// each recipient.
func (w *world) running(outcome func(place) push.Code, f func()) {
	w.runningSlowly(0, outcome, f)
}

// runningSlowly takes so long for each message. It holds no lock while it waits:
// a bubble's time stands still while somebody waits for one.
func (w *world) runningSlowly(each time.Duration, outcome func(place) push.Code, f func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for ended := false; ; {
			for w.lane.Len() > 0 {
				time.Sleep(each)
				w.Deliver(w.lane.Take(0).Body, outcome)
			}
			if ended {
				return
			}
			select {
			case <-stop:
				ended = true // what was sent before is delivered still
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-done
}

func always(c push.Code) func(place) push.Code { return func(place) push.Code { return c } }

// crowd makes n letters of ten recipients' chunks.
func (w *world) crowd(n int) {
	codes := make([]push.Code, 10)
	for i := range codes {
		codes[i] = dead
	}
	for range n / 10 {
		w.Die(w.Chunk(codes...))
	}
	time.Sleep(time.Second)
}

func TestRunPaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(100)
		run := w.start(Options{Rate: 5})
		begun := time.Now()
		w.running(always(push.CodeSent), func() {
			s, err := w.room.Run(t.Context(), run.ID)
			if err != nil || s.State != RunCompleted || s.Sent != 100 {
				t.Errorf("%+v (%v)", s, err)
			}
		})
		if took := time.Since(begun); took < 19*time.Second || took > 40*time.Second {
			t.Errorf("100 letters at 5/s took %v", took)
		}
		if w.lane.Sent() < 20 {
			t.Errorf("%d messages carried 100 letters: more than a second's worth each", w.lane.Sent())
		}
	})
}

// A run that nothing could be sent of, for the dispatcher was away, begins to
// wait anew when it is resumed: what is in delivery then is not left behind.
func TestRunWaitsAnewWhenResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		busy := w.Chunk(dead, dead)
		w.Die(busy)
		w.Die(w.Chunk(dead))
		time.Sleep(time.Second)
		closed := w.Line(busy)
		line := closed
		line.State = ledger.StateWaiting // another of its recipients is tried again
		w.Ledger.PutLine(line)
		run := w.start(Options{})
		_, err := w.kept.Discard(t.Context(),
			letters.DiscardRequest{Filter: push.LetterFilter{IDs: []push.ID{w.All()[2].ID}}, Reason: "only the busy chunk is left"})
		w.Must(err)
		_, err = w.room.Pause(t.Context(), run.ID, "me")
		w.Must(err)
		run, err = w.room.run(t.Context(), run.ID)
		w.Must(err)
		run.Idle = maxIdle
		run.version++
		w.Must(document.Save(t.Context(), w.Documents, kindRun, string(run.ID), run.version, &run, time.Now()))
		_, err = w.room.Resume(t.Context(), run.ID, "me")
		w.Must(err)
		time.AfterFunc(30*time.Second, func() {
			w.Ledger.PutLine(closed)
		})
		w.running(always(push.CodeSent), func() {
			s, err := w.room.Run(t.Context(), run.ID)
			if err != nil || s.State != RunCompleted || s.Sent != 2 {
				t.Errorf("%s with %d of 2 letters sent, skipped %v (%v)", s.State, s.Sent, s.Skipped, err)
			}
		})
	})
}

// A canary goes across chunks, is about as large as asked for, and its outcomes
// are waited for.
func TestRunCanary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(400)
		run := w.start(Options{Canary: 0.1})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if _, err := w.room.Run(ctx, run.ID); !errors.Is(err, context.Canceled) {
				t.Errorf("run: %v", err)
			}
		}()
		time.Sleep(time.Hour) // nobody delivers
		s, err := w.room.Status(t.Context(), run.ID)
		if err != nil || s.Phase != phaseWatch || s.Sent < 20 || s.Sent > 65 || s.Tally.Awaiting() != s.Sent {
			t.Errorf("after an hour: %d sent, %s (%v)", s.Sent, s.Phase, err)
		}
		cancel()
		<-ended
		w.running(always(push.CodeSent), func() {
			s, err := w.room.Run(t.Context(), run.ID)
			if err != nil || s.State != RunCompleted || s.Sent != 400 || s.Known != 400 {
				t.Errorf("in the end: %+v (%v)", s, err)
			}
		})
	})
}

// Of a set so small that the share is nobody, one letter is the canary.
func TestRunCanaryOfFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		run := w.start(Options{Canary: 1e-9, StopIfRefail: 0.5})
		w.running(always(dead), func() {
			s, err := w.room.Run(t.Context(), run.ID)
			if err != nil || s.State != RunStopped || s.Sent != 1 || s.Refailed != 1 ||
				!strings.Contains(s.Why, "1 of 1 letters failed again: 100 %") {
				t.Errorf("%+v (%v)", s, err)
			}
		})
	})
}

// Refailures without a canary are found while letters are being sent, and few
// enough are without an outcome.
func TestRunStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(8000)
		run := w.start(Options{StopIfRefail: 0.2})
		w.runningSlowly(10*time.Millisecond, func(p place) push.Code {
			if p.Cell%2 == 0 {
				return push.CodeFCMUnregistered
			}
			return push.CodeSent
		}, func() {
			s, err := w.room.Run(t.Context(), run.ID)
			if err != nil || s.State != RunStopped || s.Sent > watchWindow+2*pageSize {
				t.Errorf("%s after %d (%v)", s.State, s.Sent, err)
			}
			if !strings.Contains(s.Why, "most with fcm.unregistered") || s.RefailedBy[push.CodeFCMUnregistered] != s.Refailed {
				t.Errorf("%d failed again, by code %v: %s", s.Refailed, s.RefailedBy, s.Why)
			}
		})
		// Publish checks what they are.
		if n := len(w.told); n != 2 || !strings.Contains(string(w.told[n-1].Data), `"state":"stopped"`) {
			t.Errorf("told %+v, not of the start and the stop", w.told)
		}
	})
}

// What letters failed again with is the code of their last attempt, and each counts once,
// whoever executes the run, and however often.
func TestRunTellsCauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(400)
		run := w.start(Options{Rate: 20})
		outcome := func(p place) push.Code {
			switch p.Cell % 4 {
			case 0:
				return dead
			case 1:
				return push.CodeFCMUnregistered
			}
			return push.CodeSent
		}
		w.running(outcome, func() {
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				_, err := w.room.Run(ctx, run.ID)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("run: %v", err)
				}
			}
			go func() {
				time.Sleep(2 * time.Second)
				if _, err := w.room.Pause(t.Context(), run.ID, "me"); err != nil {
					t.Errorf("pause: %v", err)
				}
			}()
			if s, err := w.room.Run(t.Context(), run.ID); err != nil || s.State != RunPaused {
				t.Fatalf("paused: %+v (%v)", s, err)
			}
			if _, err := w.room.Resume(t.Context(), run.ID, "me"); err != nil {
				t.Fatal(err)
			}
			s, err := w.room.Run(t.Context(), run.ID)
			want := map[push.Code]int64{push.CodeFCMUnavailable: 120, push.CodeFCMUnregistered: 120}
			if diff := cmp.Diff(want, s.RefailedBy); err != nil || s.State != RunCompleted || diff != "" {
				t.Errorf("%s, failed again by code (-want +got):\n%s%v", s.State, diff, err)
			}
		})
		runs, _, err := w.room.Runs(t.Context(), "", 10)
		if err != nil || len(runs) != 1 || runs[0].RefailedBy[push.CodeFCMUnavailable] != 120 {
			t.Errorf("listed: %+v (%v)", runs, err)
		}
	})
}

// Careful is a canary of at least ten letters, of at most half of them, and a limit.
func TestCareful(t *testing.T) {
	t.Parallel()
	for sends, want := range map[int64]float64{0: 0.5, 1: 0.5, 20: 0.5, 50: 0.2, 1000: 0.01, 1_000_000: 0.01} {
		if o := Careful(sends); o.Canary != want || o.StopIfRefail != 0.2 || len(o.check()) > 0 {
			t.Errorf("%d letters: %+v, want a canary of %v", sends, o, want)
		}
	}
}

func TestRunMax(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(100)
		run := w.start(Options{Max: 33})
		w.running(always(push.CodeSent), func() {
			s, err := w.room.Run(t.Context(), run.ID)
			if err != nil || s.State != RunCompleted || s.Sent != 33 {
				t.Errorf("%+v (%v)", s, err)
			}
		})
	})
}

// Two replays of the same letters: each letter goes with one of them.
func TestRunsOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.cfg.Concurrency = 8
		w.reboot()
		w.crowd(300)
		runs := []Run{w.start(Options{}), w.start(Options{}), w.start(Options{Rate: 50})}
		w.running(always(push.CodeSent), func() {
			ended := make(chan Status)
			for _, r := range runs {
				go func() {
					s, err := w.room.Run(t.Context(), r.ID)
					if err != nil || s.State != RunCompleted {
						t.Errorf("%+v (%v)", s, err)
					}
					ended <- s
				}()
			}
			var sent int64
			for range runs {
				s := <-ended
				sent += s.Sent
			}
			if sent != 300 {
				t.Errorf("%d letters were sent, want each of 300 once", sent)
			}
		})
		for at, n := range w.Accepted() {
			if n != 1 {
				t.Errorf("%s#%d got it %d times", at.Ref, at.Cell, n)
			}
		}
	})
}

// start simulates everything that is parked and starts a replay of it.
func (w *world) start(o Options) Run {
	w.T.Helper()
	sim, err := w.room.Simulate(w.Context(), predict.SimulateRequest{All: true})
	w.Must(err)
	run, err := w.room.Start(w.Context(), StartRequest{Simulation: sim.ID, Options: o})
	w.Must(err)
	return run
}
