package deliver_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// wall is a wall clock that can be set.
type wall struct{ by atomic.Int64 }

func (w *wall) now() time.Time       { return time.Now().Add(time.Duration(w.by.Load())) }
func (w *wall) set(by time.Duration) { w.by.Add(int64(by)) }
func (w *wall) wear(r *rig)          { r.cfg.Now = w.now }
func steps() []time.Duration {
	return []time.Duration{-8 * time.Second, -time.Minute, time.Minute, -24 * time.Hour}
}

// after runs f in a while, and returns what waits for its end.
func after(d time.Duration, f func()) (wait func()) {
	done := make(chan struct{})
	go func() { defer close(done); time.Sleep(d); f() }()
	return func() { <-done }
}

func (f *fcm) since(at time.Time) (n int) {
	for _, start := range f.starts() {
		if start.After(at) {
			n++
		}
	}
	return n
}

// between is added to when a clock is set, so that nothing else happens in that instant.
// A request that is let through and has not started when the clock is set does not rely
// on its claim any more: its chunk goes back to the queue for five seconds.
const between = 3 * time.Millisecond

// TestPauseAndStep: a second after a pause nothing starts, whatever the wall clock
// is set to at the same time.
func TestPauseAndStep(t *testing.T) {
	t.Parallel()
	for _, by := range steps() {
		var w wall
		in(t, 500, func(r *rig) { w.wear(r); r.cfg.Window = 5 }, func(r *rig) {
			r.fcm.latency = 20 * time.Millisecond
			var paused time.Time
			pausing := after(300*time.Millisecond+between, func() {
				w.set(by)
				r.setState(push.StatePaused)
				paused = time.Now()
			})
			r.deliver(r.chunk)
			pausing()
			if n := r.fcm.since(paused.Add(time.Second)); n != 0 {
				t.Errorf("set by %v: %d requests later than a second after the pause", by, n)
			}
			if r.line().State != ledger.StateParked {
				t.Errorf("set by %v: the line is %s", by, r.line().State)
			}
		})
	}
}

// TestStepInMidChunk: a chunk takes as long as always, and costs as many writes.
func TestStepInMidChunk(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []int{0, 100} {
		for _, by := range append(steps(), 0) {
			var w wall
			in(t, 400, func(r *rig) { w.wear(r); r.change(func(n *push.Notification) { n.PerSecond = perSecond }) }, func(r *rig) {
				r.fcm.latency = 100 * time.Millisecond
				for i := range 3 {
					after(time.Duration(i+1)*500*time.Millisecond+between, func() { w.set(by) })
				}
				begun := time.Now()
				if turns := r.finish(); turns != 1 {
					t.Errorf("set by %v: %d turns", by, turns)
				}
				if took := time.Since(begun); took > 4500*time.Millisecond || len(r.saves.Saved()) > 50 {
					t.Errorf("set by %v: %v, %d writes", by, took, len(r.saves.Saved()))
				}
				if r.fcm.total != 400 || r.flagged() != 0 {
					t.Errorf("set by %v: %d requests, %d flagged", by, r.fcm.total, r.flagged())
				}
			})
		}
	}
}

// TestStepAndCopy: a second copy of the message, in another process's hands, does
// not take the chunk from an owner that is alive, whatever either's clock says.
func TestStepAndCopy(t *testing.T) {
	t.Parallel()
	for _, receives := range []int{1, 2} {
		for _, by := range append(steps(), 0) {
			var mine, theirs wall
			in(t, 400, func(r *rig) { mine.wear(r); r.cfg.Window = 5 }, func(r *rig) {
				r.fcm.latency = 100 * time.Millisecond
				cfg := r.cfg
				cfg.Owner, cfg.Now = "p2", theirs.now
				other := r.make(cfg)
				defer other.Close()
				second := make(chan string)
				after(time.Second, func() {
					theirs.set(by)
					m := messageOf(r.encode(r.chunk))
					m.Receives = receives
					second <- other.Handle(r.tb.Context(), m, nil).String()
				})
				if v := r.deliver(r.chunk); v.word != "ack" {
					t.Errorf("%+v", v)
				}
				if v := <-second; v != "retry" {
					t.Errorf("set by %v, receive %d: the copy: %s", by, receives, v)
				}
				if r.fcm.total != 400 || r.flagged() != 0 {
					t.Errorf("set by %v, receive %d: %d requests, %d flagged", by, receives, r.fcm.total, r.flagged())
				}
			})
		}
	}
}

// TestStepInTheFuture: a line that was written by a clock far ahead is nobody's
// for no longer than any other.
func TestStepInTheFuture(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Second, time.Minute, 24 * time.Hour} {
		in(t, 10, nil, func(r *rig) {
			l, err := r.line().Claim("dead", 0, time.Now().Add(ahead))
			if err != nil {
				t.Fatal(err)
			}
			l.Reserve(0, 3)
			r.ledger.PutLine(l)
			begun := time.Now()
			r.finish()
			if took := time.Since(begun); took > 5*time.Second || r.fcm.total != 10 || r.flagged() != 3 {
				t.Errorf("%v ahead: took %v, %d requests, %d flagged", ahead, took, r.fcm.total, r.flagged())
			}
		})
	}
}

// TestStepWhileWaiting: waits are kept, neither cut nor prolonged by a clock that
// is set while the chunk is in hand.
func TestStepWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer answer
		wait   time.Duration
	}{
		{answer{code: push.CodeFCMQuotaExceeded, after: 30 * time.Second}, 30 * time.Second},
		{answer{code: push.CodeFCMQuotaExceeded, after: time.Hour}, time.Hour},
	} {
		for _, by := range append(steps(), 0) {
			var w wall
			in(t, 2, func(r *rig) {
				w.wear(r)
				r.change(func(n *push.Notification) { n.ExpiresAt = time.Now().Add(7 * 24 * time.Hour) })
			}, func(r *rig) {
				r.fcm.script[name(0)] = []answer{c.answer}
				r.fcm.script[name(1)] = []answer{{code: push.CodeSent, takes: 2 * time.Second}}
				after(time.Second, func() { w.set(by) })    // the first one waits in hand
				after(time.Minute, func() { w.set(by) })    // and on the queue, if it waits so long
				after(50*time.Minute, func() { w.set(by) }) // to the last
				r.finish()
				time.Sleep(time.Hour)
				gap := r.fcm.gaps(name(0))[0]
				if gap < c.wait || gap > 2*c.wait {
					t.Errorf("set by %v: asked again after %v, want %v", by, gap, c.wait)
				}
			})
		}
	}
}

// TestDueBeyondAnyWait: a message that says it is due later than anything can ask
// for was written by a clock that was wrong, or is read by one.
func TestDueBeyondAnyWait(t *testing.T) {
	t.Parallel()
	in(t, 1, nil, func(r *rig) {
		r.chunk.NotBefore = time.Now().Add(30 * time.Hour)
		begun := time.Now()
		r.finish()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}
