package deliver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// guardReservation fails the test when a request is made for a cell that no
// durable reservation of the present owner covers.
func guardReservation(r *rig) {
	cell := map[string]int{}
	for i := range r.chunk.Recipients {
		cell[name(i)] = r.chunk.Index[i]
	}
	r.fcm.onSend = func(value string) {
		if l := r.line(); l.State != ledger.StateClaimed || cell[value] >= l.Reserved {
			r.tb.Errorf("%s is asked for, but the line is %s and reserved up to %d", value, l.State, l.Reserved)
		}
	}
}

// TestReservation: a row is sent only when the ledger knows that it may be.
func TestReservation(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, 5 * time.Millisecond, 300 * time.Millisecond} {
		for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
			in(t, 500, func(r *rig) { r.cfg.Window = 100 }, func(r *rig) {
				r.fcm.latency, r.delay = latency, delay
				guardReservation(r)
				for i := range 500 { // a fragment, as after a retry
					if i%7 == 0 {
						r.fcm.script[name(i)] = []answer{{code: push.CodeFCMUnavailable}}
					}
				}
				r.finish()
				if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 500}, r.codes()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if r.fcm.most > 100 {
					t.Errorf("%d requests at once", r.fcm.most)
				}
			})
		}
	}
}

// TestCheckpoints: every 50 results or every 100 ms, and no more often.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		latency   time.Duration
		window    int
		min, max  int // writes, the claim and the last included
		mostAtAny int // results without a checkpoint, at any write
	}{
		// How many of the answers of one moment are taken before a checkpoint begins is
		// the scheduler's matter: the race detector's is another.
		{"fast answers: by count", 10 * time.Millisecond, 50, 6, 12, 151},
		{"usual answers: by count", 50 * time.Millisecond, 100, 6, 12, 201},
		{"slow answers: by time", time.Second, 25, 15, 25, 51},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, 400, func(r *rig) { r.cfg.Window = c.window }, func(r *rig) {
				r.fcm.latency = c.latency
				open, most := 400, 0
				r.saves.Before = func(l ledger.Line) error {
					most = max(most, open-l.OpenCount())
					open = l.OpenCount()
					return nil
				}
				r.finish()
				if n := len(r.saves.Saved()); n < c.min || n > c.max || most > c.mostAtAny {
					t.Errorf("%d writes, at most %d results in one", n, most)
				}
			})
		})
	}
}

// TestStragglers: while the last requests hang, what is known is written, and
// the line stays its owner's.
func TestStragglers(t *testing.T) {
	t.Parallel()
	in(t, 20, nil, func(r *rig) {
		r.fcm.script[name(7)] = []answer{{code: push.CodeSent, takes: 15 * time.Second}}
		r.fcm.latency = 20 * time.Millisecond
		go func() {
			time.Sleep(250 * time.Millisecond)
			if open := r.line(); open.OpenCount() != 1 {
				t.Errorf("%d open in the ledger after 250 ms, 19 are answered", open.OpenCount())
			}
			cfg := r.cfg
			cfg.Owner = "p2"
			for range 14 { // copies of the message, in the hands of others
				other := r.make(cfg)
				if v := look(other.Handle(r.tb.Context(), messageOf(r.encode(r.chunk)), nil)); v.word != "retry" || v.after != 4*time.Second {
					t.Errorf("another owner: %+v", v)
				}
				other.Close()
				time.Sleep(time.Second)
			}
		}()
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		if r.fcm.total != 20 || r.line().State != ledger.StateClosed {
			t.Errorf("%d requests, line %s", r.fcm.total, r.line().State)
		}
		if n := len(r.saves.Saved()); n > 20 {
			t.Errorf("%d writes in 15 s", n)
		}
		time.Sleep(time.Second)
	})
}

// TestSmallChunkCostsTwoWrites: a claim and a close.
func TestSmallChunkCostsTwoWrites(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 20} {
		in(t, n, nil, func(r *rig) {
			r.fcm.latency = 90 * time.Millisecond
			r.finish()
			if len(r.saves.Saved()) != 2 {
				t.Errorf("%d recipients cost %d writes", n, len(r.saves.Saved()))
			}
		})
	}
}

// TestLedgerAway in the middle of a chunk: the sending stops, and what is known
// is written as soon as possible, within the turn. Nobody is sent to twice.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	for _, failing := range []int{1, 2, 5, 12} { // writes in a row
		in(t, 400, func(r *rig) { r.cfg.Window = 50 }, func(r *rig) {
			r.fcm.latency = 20 * time.Millisecond
			guardReservation(r)
			writes := 0
			r.saves.Before = func(ledger.Line) error {
				if writes++; writes > 3 && writes <= 3+failing {
					return errAway
				}
				return nil
			}
			r.finish()
			if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 400}, r.codes()); diff != "" {
				t.Errorf("%d failures (-want +got):\n%s", failing, diff)
			}
			r.checkDuplicates()
			if repeats := r.fcm.total - 400; repeats != 0 || r.flagged() != 0 {
				t.Errorf("%d failures: %d requests repeated, %d flagged", failing, repeats, r.flagged())
			}
		})
	}
}

// TestLateWrite: a checkpoint that timed out here, and was written again, arrives
// there after all, after the end of the turn: it must not undo anything.
func TestLateWrite(t *testing.T) {
	t.Parallel()
	in(t, 400, func(r *rig) { r.cfg.Window = 50 }, func(r *rig) {
		r.fcm.latency = 20 * time.Millisecond
		var late *ledger.Line
		writes := 0
		r.saves.Before = func(l ledger.Line) error {
			if writes++; writes == 3 {
				late = &l
				return errAway
			}
			return nil
		}
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		want := r.line()
		if err := r.store.SaveLine(r.tb.Context(), *late, late.Epoch-1, nil); err == nil {
			t.Error("the late write was taken")
		}
		if diff := cmp.Diff(want, r.line()); diff != "" || want.State != ledger.StateClosed {
			t.Errorf("line %s (-want +got):\n%s", want.State, diff)
		}
	})
}

// TestLostAnswer: the same checkpoint was written at once, only nobody said so.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	in(t, 400, func(r *rig) { r.cfg.Window = 50 }, func(r *rig) {
		r.fcm.latency = 20 * time.Millisecond
		writes := 0
		r.saves.After = func(ledger.Line) error {
			if writes++; writes == 3 {
				return errAway
			}
			return nil
		}
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 400}, r.codes()); diff != "" || r.fcm.total != 400 {
			t.Errorf("%d requests (-want +got):\n%s", r.fcm.total, diff)
		}
		if len(r.attempts()) != 400 {
			t.Errorf("evidence of %d attempts", len(r.attempts()))
		}
	})
}

// flagged returns how many recipients are said to have got it twice, perhaps.
func (r *rig) flagged() (n int) {
	for _, c := range r.line().Cells {
		if c.PossibleDuplicate() {
			n++
		}
	}
	return n
}

// checkDuplicates: whoever may have got it twice is flagged, whoever is said to
// have got it did, and everybody has one outcome.
func (r *rig) checkDuplicates() {
	r.tb.Helper()
	l := r.line()
	for i, c := range l.Cells {
		n := r.fcm.accepted[name(i)]
		switch {
		case n > 1 && !c.PossibleDuplicate():
			r.tb.Errorf("%s got it %d times and is not flagged", name(i), n)
		case n == 0 && c.Code() == push.CodeSent:
			r.tb.Errorf("%s is sent, but FCM never took it", name(i))
		case c.Open():
			r.tb.Errorf("%s has no outcome", name(i))
		}
	}
	if l.State != ledger.StateClosed {
		r.tb.Errorf("the line is %s", l.State)
	}
}
