package replay

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// forgotten is after how long the tests' janitor takes a message for lost.
const forgotten = 20 * time.Minute

// reconcile goes over everything once, as the janitor does.
func (w *world) reconcile(r *Reconciler) error {
	for {
		_, whole, err := r.Reconcile(w.Context(), time.Now().Add(-forgotten), time.Time{}, lostAfter(forgotten))
		if err != nil || whole {
			return err
		}
	}
}

func lostAfter(d time.Duration) Lost {
	return func(_ context.Context, _ string, written, due time.Time) (bool, error) {
		return time.Since(written) >= d && !due.After(time.Now()), nil
	}
}

// purge empties the lane and returns what was on it.
func (w *world) purge() (chunks []push.Chunk) {
	w.T.Helper()
	for w.lane.Len() > 0 {
		c, _, err := wire.DecodeChunk(w.lane.Take(0).Body)
		w.Must(err)
		chunks = append(chunks, c)
	}
	return chunks
}

// lostRun replays letters with edits, and loses every message. The run has
// ended: it does not wait for outcomes for ever.
func (w *world) lostRun(edits predict.Edits) (Run, []push.Chunk) {
	w.T.Helper()
	sim, err := w.room.Simulate(w.Context(), predict.SimulateRequest{All: true, Edits: edits})
	w.Must(err)
	run, err := w.room.Start(w.Context(), StartRequest{Simulation: sim.ID})
	w.Must(err)
	s, err := w.room.Run(w.Context(), run.ID)
	w.Must(err)
	if s.State != RunCompleted || s.Tally.Awaiting() != s.Sent || s.Sent == 0 {
		w.T.Fatalf("%s, %d of %d letters have an outcome", s.State, s.Known, s.Sent)
	}
	return s.Run, w.purge()
}

// outcomes counts what became of all replayed letters.
func (w *world) outcomes() map[push.Code]int {
	w.T.Helper()
	n := map[push.Code]int{}
	for _, l := range w.All() {
		if l.Kind == push.LetterRecipient && l.State == push.LetterReplayed {
			n[l.Outcome]++
		}
	}
	return n
}

// TestReconcile: a message that was lost is made again, with the edits and the
// deadline that it had, for those who are still open.
func TestReconcile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		first, second := w.Chunk(push.CodeSent, dead, dead), w.Chunk(dead, dead, dead)
		w.Die(first)
		w.Die(second)
		time.Sleep(time.Second)
		edits := predict.Edits{
			Patch: json.RawMessage(`[{"op":"replace","path":"/notification/title","value":"Again"}]`), ExpireAfter: 3 * time.Hour,
		}
		run, lost := w.lostRun(edits)
		if len(lost) != 2 {
			t.Fatalf("%d messages", len(lost))
		}
		// One recipient of the second chunk has its outcome and one was tried, when
		// the message of the rest is lost.
		line := w.Line(second)
		line.Settle(0, push.CodeSent, false)
		line.Due = time.Now().Add(40 * time.Minute)
		w.Ledger.PutLine(line)
		w.Ledger.PutAttempts(second,
			append(w.Ledger.AllAttempts()[second], ledger.Attempt{Cell: 1, Attempt: 2, Code: push.CodeFCMInternal, At: time.Now()}))
		w.told = nil

		r := w.room.NewReconciler(nil)
		w.Must(w.reconcile(r))
		if w.lane.Len() != 0 {
			t.Fatal("sent anew before it was late")
		}
		time.Sleep(forgotten)
		w.Must(w.reconcile(r))
		early := w.purge()
		if len(early) != 1 || early[0].Ref != first {
			t.Fatalf("%d messages; what is due later is not late", len(early))
		}
		diff := cmp.Diff(lost[0], early[0], cmpopts.IgnoreFields(push.Chunk{}, "Turn"), cmpopts.EquateApproxTime(time.Second))
		if diff != "" || early[0].Turn != lost[0].Turn+1 {
			t.Errorf("turn %d after %d (-lost +anew):\n%s", early[0].Turn, lost[0].Turn, diff)
		}
		time.Sleep(time.Hour)
		w.Must(w.reconcile(r))
		again := w.purge()
		if len(again) != 2 {
			t.Fatalf("%d messages", len(again))
		}
		c := again[slices.IndexFunc(again, func(c push.Chunk) bool { return c.Ref == second })]
		if diff := cmp.Diff([]int{1, 2}, c.Index); diff != "" || c.Attempt != 3 || !slices.Equal(c.Attempts, []int{3, 1}) ||
			c.LastCode != push.CodeFCMInternal {
			t.Errorf("cells %v, attempts %v up to %d, last %s", c.Index, c.Attempts, c.Attempt, c.LastCode)
		}
		if !strings.Contains(string(c.Message), "Again") || c.Replay != run.ID || c.Series != 1 {
			t.Errorf("%s of %s, series %d", c.Message, c.Replay, c.Series)
		}
		time.Sleep(forgotten)
		w.Must(w.reconcile(r))
		for w.lane.Len() > 0 {
			w.Deliver(w.lane.Take(0).Body, always(push.CodeSent))
		}
		w.Must(w.reconcile(r))
		if got := w.outcomes(); got[push.CodeSent] != 5 || len(got) != 1 {
			t.Errorf("outcomes: %v", got)
		}
		chunks := 0
		for _, e := range w.told {
			var d wire.Reconciled
			w.Must(json.Unmarshal(e.Data, &d))
			chunks += d.Chunks
			if e.Type != wire.EventReconciled || d.Replay != run.ID || d.Recipients < 2 || d.Expired || d.QuietSince.IsZero() {
				t.Errorf("event %s: %+v", e.Type, d)
			}
		}
		if chunks != 5 {
			t.Errorf("%d chunks told", chunks)
		}
		w.Must(w.reconcile(r))
		made := w.Calls.Made()
		w.Must(w.reconcile(r))
		if calls := w.Calls.Made() - made; calls > 1 {
			t.Errorf("%d calls when all is done, want one for the list of runs", calls)
		}
	})
}

// TestReconcileLeavesAlone: who has a message, or waits for an operator, is not
// disturbed; what is past its time or cancelled ends without another send.
func TestReconcileLeavesAlone(t *testing.T) {
	t.Parallel()
	head := func(w *world, ref push.ChunkRef, f func(n *push.Notification)) {
		n := w.Head(ref.Notification)
		f(&n)
		w.Ledger.PutNotification(n)
	}
	change := func(w *world, ref push.ChunkRef, f func(l *ledger.Line)) {
		l := w.Line(ref)
		f(&l)
		w.Ledger.PutLine(l)
	}
	paused := func(n *push.Notification) { n.Progress.State = push.StatePaused }
	for _, c := range []struct {
		name    string
		wait    time.Duration
		scene   func(w *world, ref push.ChunkRef)
		sent    int
		outcome push.Code
	}{
		{"a lost message", 0, func(*world, push.ChunkRef) {}, 1, push.CodeOpen},
		{"an owner that died", 0, func(w *world, ref push.ChunkRef) {
			change(w, ref, func(l *ledger.Line) { l.State, l.Owner = ledger.StateClaimed, "dead" })
		}, 1, push.CodeOpen},
		{"a line that was written since", 0, func(w *world, ref push.ChunkRef) {
			change(w, ref, func(l *ledger.Line) { l.UpdatedAt = time.Now().Add(-time.Minute) })
		}, 0, push.CodeOpen},
		{"a paused batch", 0, func(w *world, ref push.ChunkRef) { head(w, ref, paused) }, 0, push.CodeOpen},
		{"a batch that was resumed after its line was parked", 0, func(w *world, ref push.ChunkRef) {
			change(w, ref, func(l *ledger.Line) { l.State, l.Owner = ledger.StateParked, "" })
		}, 1, push.CodeOpen},
		{"a part that is held", 0, func(w *world, ref push.ChunkRef) {
			change(w, ref, func(l *ledger.Line) { l.State, l.Owner = ledger.StateParked, "" })
			head(w, ref, func(n *push.Notification) { n.Progress.Held[0] = push.Hold{Code: push.CodeFCMForbidden} })
		}, 0, push.CodeOpen},
		{"past the deadline", 3 * time.Hour, func(*world, push.ChunkRef) {}, 0, push.CodeExpired},
		{"past the deadline of a paused batch", 3 * time.Hour, func(w *world, ref push.ChunkRef) { head(w, ref, paused) }, 0, push.CodeExpired},
		{"past the deadline, perhaps delivered", 3 * time.Hour, func(w *world, ref push.ChunkRef) {
			head(w, ref, func(n *push.Notification) { n.Guarantee = push.AtMostOnce })
			change(w, ref, func(l *ledger.Line) {
				l.State, l.Owner = ledger.StateClaimed, "dead"
				l.Reserve(0, len(l.Cells))
			})
		}, 0, push.CodeUnknown},
		{"cancelled", 0, func(w *world, ref push.ChunkRef) {
			head(w, ref, func(n *push.Notification) { n.Progress.State = push.StateCancelled })
		}, 0, push.CodeCancelled},
		{"a cell that another replay has by now", 0, func(w *world, ref push.ChunkRef) {
			w.Ledger.PutAttempts(ref, append(w.Ledger.AllAttempts()[ref], w.Ledger.AllAttempts()[ref]...))
			all := w.Ledger.AllAttempts()[ref]
			for i := len(all) / 2; i < len(all); i++ {
				all[i].Detail += "x"
			}
			w.Ledger.PutAttempts(ref, all)
		}, 0, push.CodeAttemptsExhausted},
		{"a notification that is gone", 0, func(w *world, ref push.ChunkRef) { w.Ledger.ForgetNotification(ref.Notification) }, 0, push.CodeOpen},
		{"a line that is gone", 0, func(w *world, ref push.ChunkRef) { w.Ledger.ForgetLine(ref) }, 0, push.CodeOpen},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, t.Context)
				ref := w.Chunk(dead, dead)
				w.Die(ref)
				time.Sleep(time.Second)
				w.lostRun(predict.Edits{ExpireAfter: 2 * time.Hour})
				time.Sleep(forgotten + c.wait)
				c.scene(w, ref)
				ended := 0
				w.Must(w.reconcile(w.room.NewReconciler(func(_ context.Context, _ *push.Notification, was, now *ledger.Line) {
					ended += was.OpenCount() - now.OpenCount()
				})))
				if got := w.outcomes(); w.lane.Len() != c.sent || got[c.outcome] != 2 {
					t.Errorf("%d messages, outcomes %v", w.lane.Len(), got)
				}
				want := 0
				if cl := c.outcome; cl == push.CodeExpired || cl == push.CodeUnknown || cl == push.CodeCancelled {
					want = 2
				}
				if ended != want {
					t.Errorf("%d ends told, want %d", ended, want)
				}
			})
		})
	}
}

// TestReconcileSurvivesCrash: whatever call fails, before or after it had its
// effect, the next pass leaves everyone with one outcome, and sends to nobody
// twice.
func TestReconcileSurvivesCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		scene := func() *world {
			w := newWorld(t, t.Context)
			w.Die(w.Chunk(dead, dead, push.CodeSent))
			w.Die(w.Chunk(dead))
			old := w.Chunk(dead)
			n := w.Head(old.Notification)
			n.TTL = time.Hour
			w.Ledger.PutNotification(n)
			w.Die(old)
			time.Sleep(time.Second)
			w.lostRun(predict.Edits{})
			time.Sleep(time.Hour)
			return w
		}
		calm := scene()
		made := calm.Calls.Made()
		calm.Must(calm.reconcile(calm.room.NewReconciler(nil)))
		calls := calm.Calls.Made() - made
		if calls < 10 {
			t.Fatalf("%d calls", calls)
		}
		for at := 1; at <= calls; at++ {
			for _, after := range []bool{false, true} {
				w := scene()
				w.Calls.Die(at, after)
				if err := w.reconcile(w.room.NewReconciler(nil)); !errors.Is(err, workertest.ErrFault) {
					t.Fatalf("call %d, after %v: %v", at, after, err)
				}
				w.reboot()
				r := w.room.NewReconciler(nil)
				w.Must(w.reconcile(r))
				for w.lane.Len() > 0 {
					w.Deliver(w.lane.Take(0).Body, always(push.CodeSent))
				}
				time.Sleep(forgotten)
				w.Must(w.reconcile(r))
				if got := w.outcomes(); got[push.CodeSent] != 3 || got[push.CodeExpired] != 1 || w.lane.Len() != 0 {
					t.Fatalf("call %d, after %v: outcomes %v, %d messages", at, after, got, w.lane.Len())
				}
				w.once(3)
			}
		}
	})
}
