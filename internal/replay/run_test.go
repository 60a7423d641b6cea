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
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
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
			err := r.move(op, "why", at(1))
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
			for w.lane.size() > 0 {
				time.Sleep(each)
				w.deliver(w.lane.take(0, false).Body, outcome)
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
		w.die(w.chunk(codes...))
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
		if w.lane.sent < 20 {
			t.Errorf("%d messages carried 100 letters: more than a second's worth each", w.lane.sent)
		}
	})
}

// A run that nothing could be sent of, for the dispatcher was away, begins to
// wait anew when it is resumed: what is in delivery then is not left behind.
func TestRunWaitsAnewWhenResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		busy := w.chunk(dead, dead)
		w.die(busy)
		w.die(w.chunk(dead))
		time.Sleep(time.Second)
		closed := w.books.lines[busy]
		line := closed
		line.State = ledger.StateWaiting // another of its recipients is tried again
		w.books.lines[busy] = line
		run := w.start(Options{})
		_, err := w.room.Discard(t.Context(), DiscardRequest{Filter: push.LetterFilter{IDs: []push.ID{w.all()[2].ID}}, Reason: "only the busy chunk is left"})
		w.must(err)
		_, err = w.room.Pause(t.Context(), run.ID, "me")
		w.must(err)
		run, err = w.room.run(t.Context(), run.ID)
		w.must(err)
		run.Idle = maxIdle
		run.version++
		w.must(w.room.save(t.Context(), kindRun, run.ID, run.version, &run, time.Now()))
		_, err = w.room.Resume(t.Context(), run.ID, "me")
		w.must(err)
		time.AfterFunc(30*time.Second, func() {
			w.books.mu.Lock()
			defer w.books.mu.Unlock()
			w.books.lines[busy] = closed
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
			if err != nil || s.State != RunStopped || s.Sent != 1 || s.Refailed != 1 || !strings.Contains(s.Why, "1 of 1 letters failed again: 100 %") {
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
			if p.cell%2 == 0 {
				return push.CodeFCMUnregistered
			}
			return push.CodeSent
		}, func() {
			s, err := w.room.Run(t.Context(), run.ID)
			if err != nil || s.State != RunStopped || s.Sent > watchWindow+2*pageSize {
				t.Errorf("%s after %d (%v)", s.State, s.Sent, err)
			}
		})
	})
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
		for at, n := range w.accepted {
			if n != 1 {
				t.Errorf("%s#%d got it %d times", at.ref, at.cell, n)
			}
		}
	})
}

// Several processes execute one replay at the same time, and one is told to
// cancel: every letter ends parked or replayed, and every line closed.
func TestRunTakenOver(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var failed any
		synctest.Test(t, func(t *testing.T) {
			defer func() { failed = recover() }()
			w := newWorld(rt, t.Context)
			w.cfg.Concurrency = 4
			w.reboot()
			w.crowd(rapid.IntRange(1, 6).Draw(rt, "chunks") * 10)
			run := w.start(Options{Canary: rapid.SampledFrom([]float64{0, 0.5}).Draw(rt, "canary"), Rate: rapid.SampledFrom([]float64{0, 20}).Draw(rt, "rate")})
			cancel := rapid.IntRange(0, 3).Draw(rt, "cancel") == 0
			if rapid.Bool().Draw(rt, "died before") {
				w.faults.arm(rapid.IntRange(1, 40).Draw(rt, "calls"), rapid.Bool().Draw(rt, "after"))
				_, _ = w.room.Run(t.Context(), run.ID)
				w.reboot()
			}
			w.running(always(push.CodeSent), func() {
				ended := make(chan error)
				const executors = 3
				for range executors {
					go func() {
						_, err := w.room.Run(t.Context(), run.ID)
						ended <- err
					}()
				}
				if cancel {
					if _, err := w.room.Cancel(t.Context(), run.ID, "me"); err != nil && !errors.As(err, new(*push.StateError)) {
						rt.Fatalf("cancel: %v", err)
					}
				}
				for range executors {
					if err := <-ended; err != nil && !errors.Is(err, ErrTakenOver) {
						rt.Fatalf("run: %v", err)
					}
				}
				if _, err := w.room.Run(t.Context(), run.ID); err != nil {
					rt.Fatalf("run: %v", err)
				}
			})
			for _, l := range w.all() {
				if l.State == push.LetterReplaying || !cancel && l.State != push.LetterReplayed {
					rt.Fatalf("%s is %s", l.ID, l.State)
				}
			}
			for ref, line := range w.books.lines {
				if line.State != ledger.StateClosed {
					rt.Fatalf("%s is %s", ref, line.State)
				}
			}
			for at, n := range w.accepted {
				if n != 1 {
					rt.Fatalf("%s#%d got it %d times", at.ref, at.cell, n)
				}
			}
		})
		if failed != nil {
			panic(failed)
		}
	})
}

// What a chunk message says of a replay, also when it is sent by whoever comes
// after a crash.
func TestRunEdits(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, t.Context)
			ref := w.chunk(dead, push.CodeSent, dead)
			w.die(ref)
			time.Sleep(time.Second)
			s, err := w.room.Simulate(t.Context(), SimulateRequest{All: true, Edits: Edits{
				Priority: push.PriorityHigh, ExpireAfter: time.Hour, Patch: []byte(`[{"op":"add","path":"/notification/body","value":"x"}]`),
			}})
			w.must(err)
			run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID})
			w.must(err)
			if crash {
				w.cfg.Sources[push.QueueHigh] = &box{faults: dying()}
				w.reboot()
				if _, err := w.room.Run(t.Context(), run.ID); !errors.Is(err, errCrash) {
					t.Fatalf("run: %v", err)
				}
				w.cfg.Sources[push.QueueHigh] = w.sources[push.QueueHigh]
				w.reboot()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := w.room.Run(ctx, run.ID); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("run: %v", err)
			}
			if n := w.sources[push.QueueHigh].size(); n != 1 {
				t.Fatalf("%d messages on the high lane", n)
			}
			got, _, err := wire.DecodeChunk(w.sources[push.QueueHigh].msgs[0].Body)
			w.must(err)
			if age := time.Until(got.ExpiresAt); age < 50*time.Minute || age > time.Hour {
				t.Errorf("expires in %v", age)
			}
			got.ExpiresAt = time.Time{}
			want := push.Chunk{
				Ref: ref, Tenant: "acme", Attempt: 1, Turn: 3, Recipients: []push.Recipient{recipient(ref, 0), recipient(ref, 2)}, Index: []int{0, 2},
				Replay: run.ID, Series: 1, Message: push.Message(`{"notification":{"body":"x","title":"Hi"}}`),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("crash %v: chunk (-want +got):\n%s", crash, diff)
			}
		})
	}
}

// dying is a process that dies at its next call.
func dying() *faults {
	f := &faults{}
	f.arm(1, false)
	return f
}

// A run waits out a store that is away as long as it has patience.
func TestRunIsPatient(t *testing.T) {
	t.Parallel()
	for patience, want := range map[int]RunState{0: RunRunning, 50: RunCompleted} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, t.Context)
			w.cfg.Patience = patience
			w.reboot()
			w.crowd(30)
			run := w.start(Options{})
			w.faults.arm(12, true)
			go func() {
				time.Sleep(time.Minute)
				w.faults.disarm()
			}()
			w.running(always(push.CodeSent), func() {
				_, err := w.room.Run(t.Context(), run.ID)
				if (err == nil) != (want == RunCompleted) {
					t.Errorf("patience %d: %v", patience, err)
				}
			})
			time.Sleep(2 * time.Minute)
			s, err := w.room.Status(t.Context(), run.ID)
			if err != nil || s.State != want || want == RunCompleted && s.Sent != 30 {
				t.Errorf("patience %d: %+v (%v)", patience, s, err)
			}
		})
	}
}

// Outcomes that never come don't keep a run for ever.
func TestRunSettles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(10)
		run := w.start(Options{})
		s, err := w.room.Run(t.Context(), run.ID)
		if err != nil || s.State != RunCompleted || s.Tally.Awaiting() != 10 || !strings.Contains(s.Why, "not known after 10m") {
			t.Errorf("%+v (%v)", s, err)
		}
	})
}

// start simulates everything that is parked and starts a replay of it.
func (w *world) start(o Options) Run {
	w.t.Helper()
	sim, err := w.room.Simulate(w.ctx(), SimulateRequest{All: true})
	w.must(err)
	run, err := w.room.Start(w.ctx(), StartRequest{Simulation: sim.ID, Options: o})
	w.must(err)
	return run
}
