package replay

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

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
			run := w.start(
				Options{Canary: rapid.SampledFrom([]float64{0, 0.5}).Draw(rt, "canary"), Rate: rapid.SampledFrom([]float64{0, 20}).Draw(rt, "rate")},
			)
			cancel := rapid.IntRange(0, 3).Draw(rt, "cancel") == 0
			if rapid.Bool().Draw(rt, "died before") {
				w.Calls.Die(rapid.IntRange(1, 40).Draw(rt, "calls"), rapid.Bool().Draw(rt, "after"))
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
			for _, l := range w.All() {
				if l.State == push.LetterReplaying || !cancel && l.State != push.LetterReplayed {
					rt.Fatalf("%s is %s", l.ID, l.State)
				}
			}
			for ref, line := range w.Ledger.AllLines() {
				if line.State != ledger.StateClosed {
					rt.Fatalf("%s is %s", ref, line.State)
				}
			}
			for at, n := range w.Accepted() {
				if n != 1 {
					rt.Fatalf("%s#%d got it %d times", at.Ref, at.Cell, n)
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
			ref := w.Chunk(dead, push.CodeSent, dead)
			w.Die(ref)
			time.Sleep(time.Second)
			s, err := w.room.Simulate(t.Context(), predict.SimulateRequest{All: true, Edits: predict.Edits{
				Priority: push.PriorityHigh, ExpireAfter: time.Hour, Patch: []byte(`[{"op":"add","path":"/notification/body","value":"x"}]`),
			}})
			w.Must(err)
			run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID})
			w.Must(err)
			if crash {
				w.cfg.Sources[push.QueueHigh] = workertest.Around{Queue: &workertest.Memory{}, Do: dying().Do}
				w.reboot()
				if _, err := w.room.Run(t.Context(), run.ID); !errors.Is(err, workertest.ErrFault) {
					t.Fatalf("run: %v", err)
				}
				w.cfg.Sources = w.SourcePorts()
				w.reboot()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := w.room.Run(ctx, run.ID); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("run: %v", err)
			}
			if n := w.Sources[push.QueueHigh].Len(); n != 1 {
				t.Fatalf("%d messages on the high lane", n)
			}
			got, _, err := wire.DecodeChunk(w.Sources[push.QueueHigh].Peek(0).Body)
			w.Must(err)
			if age := time.Until(got.ExpiresAt); age < 50*time.Minute || age > time.Hour {
				t.Errorf("expires in %v", age)
			}
			got.ExpiresAt = time.Time{}
			want := push.Chunk{
				Ref: ref, Tenant: "acme", Attempt: 1, Turn: 3,
				Recipients: []push.Recipient{letterstest.Recipient(ref, 0), letterstest.Recipient(ref, 2)}, Index: []int{0, 2},
				Replay: run.ID, Series: 1, Message: push.Message(`{"notification":{"body":"x","title":"Hi"}}`),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("crash %v: chunk (-want +got):\n%s", crash, diff)
			}
		})
	}
}

// dying is a process that dies at its next call.
func dying() *workertest.Calls {
	c := &workertest.Calls{}
	c.Die(1, false)
	return c
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
			w.Calls.Die(12, true)
			go func() {
				time.Sleep(time.Minute)
				w.Calls.Mend()
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
