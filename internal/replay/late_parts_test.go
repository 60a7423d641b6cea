package replay

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// TestReconcileInHand: what a run had in hand when its process died, after it had
// been paused or cancelled, is finished.
func TestReconcileInHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inHand := 0
		for call := 1; call < 40; call++ {
			w := newWorld(t, t.Context)
			w.Die(w.Chunk(dead, dead))
			time.Sleep(time.Second)
			run := w.start(Options{})
			w.Calls.Die(call, true)
			if _, err := w.room.Run(t.Context(), run.ID); err == nil {
				break
			}
			w.reboot()
			if _, err := w.room.Pause(t.Context(), run.ID, "me"); err != nil {
				continue
			}
			if s, err := w.room.Status(t.Context(), run.ID); err != nil || s.Tally.Replaying > 0 {
				inHand++
			}
			r := w.room.NewReconciler(nil)
			time.Sleep(2 * forgotten)
			w.Must(w.reconcile(r))
			for w.lane.Len() > 0 {
				w.Deliver(w.lane.Take(0).Body, always(push.CodeSent))
			}
			time.Sleep(2 * forgotten)
			w.Must(w.reconcile(r))
			for _, l := range w.All() {
				if l.State == push.LetterReplaying || l.Awaiting() {
					t.Errorf("call %d: a letter is left %s without an outcome", call, l.State)
				}
			}
		}
		if inHand == 0 {
			t.Error("nothing was ever in hand")
		}
	})
}

// TestReconcileInParts: letters of a chunk that lie apart are brought together,
// and a pass goes on where the last call had read enough.
func TestReconcileInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		many := slices.Repeat([]push.Code{dead}, 80)
		one, other := w.Chunk(many...), w.Chunk(many...)
		for from := 0; from < len(many); from += 20 { // they died one after the other
			for _, ref := range []push.ChunkRef{one, other} {
				line := w.Line(ref)
				c := push.Chunk{Ref: ref, Tenant: line.Tenant, Attempt: 5, Turn: line.Turn}
				for cell := from; cell < from+20; cell++ {
					c.Recipients, c.Index = append(c.Recipients, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "t"}}), append(
						c.Index, cell,
					)
				}
				w.AddDeadLetter(&c, push.QueueBulk)
			}
		}
		w.Drain()
		time.Sleep(time.Second)
		sizes := map[push.ChunkRef]int{}
		_, lost := w.lostRun(predict.Edits{})
		for _, c := range lost {
			sizes[c.Ref] += len(c.Index)
		}
		time.Sleep(forgotten)
		r := w.room.NewReconciler(nil)
		r.most = 17
		calls := 0
		for whole := false; !whole; calls++ {
			var err error
			_, whole, err = r.Reconcile(t.Context(), time.Now().Add(-forgotten), time.Time{}, lostAfter(forgotten))
			w.Must(err)
		}
		for _, c := range w.purge() {
			sizes[c.Ref] -= len(c.Index)
		}
		if calls < 5 || len(lost) != 2 || sizes[one] != 0 || sizes[other] != 0 {
			t.Errorf("%d calls; %d messages; letters that were lost and not sent anew: %v", calls, len(lost), sizes)
		}
	})
}

// TestReconcileSuspicion: who knows that messages are lost does not wait.
func TestReconcileSuspicion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.Die(w.Chunk(dead))
		time.Sleep(time.Second)
		w.lostRun(predict.Edits{})
		r := w.room.NewReconciler(nil)
		suspect := time.Now()
		n, whole, err := r.Reconcile(t.Context(), suspect, suspect, func(_ context.Context, _ string, written, _ time.Time) (bool, error) {
			return written.Before(suspect), nil
		})
		if n != 1 || !whole || err != nil || w.lane.Len() != 1 {
			t.Errorf("%d chunks, whole %v (%v)", n, whole, err)
		}
	})
}
