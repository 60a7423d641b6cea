package fanout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

func (r *rig) setState(id push.ID, s push.State) {
	n := r.head(id)
	n.Progress.State = s
	r.ledger.PutNotification(n)
}

// TestStatesThatWait: a task of a notification that is not to be sent now does
// nothing; whoever changes that sends another.
func TestStatesThatWait(t *testing.T) {
	t.Parallel()
	for _, s := range []push.State{push.StateUploading, push.StatePaused, push.StateCompleted, push.StateDeadLettered} {
		for _, op := range []wire.Op{wire.OpPlan, wire.OpCancel, wire.OpCheck} {
			r := setup(t)
			n := r.batch(t, tokens(1, 3))
			r.setState(n.ID, s)
			if v := r.handle(wire.Task{Op: op, Notification: n.ID, Page: wire.AllPages}); v.word != "ack" ||
				len(r.ledger.AllLines())+r.tasks.Len()+r.bulk.Len() != 0 {
				t.Errorf("%s of a notification that is %s: %+v", op, s, v)
			}
		}
	}
}

// TestDoneWhilePaused: the chunks that were under way when it was paused were the
// last ones. Nobody has to resume what is over for its end to be told.
func TestDoneWhilePaused(t *testing.T) {
	t.Parallel()
	for _, op := range []wire.Op{wire.OpCheck, wire.OpPlan} { // of the chain; of a start that declares an early upload finished
		r := setup(t)
		n := r.batch(t, tokens(1, 1000)) // two chunks
		r.run(t, n.ID)
		r.setState(n.ID, push.StatePaused)
		task := wire.Task{Op: op, Notification: n.ID, Page: wire.AllPages}
		if v := r.handle(task); v.word != "retry" || r.head(n.ID).Progress.State != push.StatePaused {
			t.Errorf("%s with chunks under way: %+v", op, v)
		}
		for i := range 2 {
			ref := push.ChunkRef{Notification: n.ID, Seq: i}
			l, err := r.line(ref).Claim("owner", 0, t0)
			if err != nil {
				t.Fatal(err)
			}
			for cell := range l.Cells {
				l.Settle(cell, push.CodeSent, false)
			}
			r.ledger.PutLine(l.Close(t0))
		}
		if v := r.handle(task); v.word != "ack" || r.head(n.ID).Progress.State != push.StateCompleted || len(r.done) != 1 {
			t.Errorf("%s after the last chunk: %+v, told %d times, %+v", op, v, len(r.done), r.head(n.ID).Progress)
		}
	}
}

// TestCancelBeforePlanning: every recipient still gets its outcome.
func TestCancelBeforePlanning(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.device("d", "", "-ill", t0)
	n := r.batch(t, append(tokens(1, 600), push.Recipient{Address: token("ill"), Line: 601}), tokens(602, 2))
	r.setState(n.ID, push.StateCancelled)
	for _, c := range r.run(t, n.ID) {
		if v := r.handle(c); v.word != "ack" {
			t.Errorf("check: %+v", v)
		}
	}
	counts, err := r.ledger.Counts(t.Context(), n.ID)
	if err != nil || counts.ByCode[push.CodeCancelled] != 602 || counts.ByCode[push.CodeDeviceQuarantined] != 1 || !counts.Done(2) {
		t.Errorf("%+v, %v", counts, err)
	}
	if r.metric(t, "outcomes") != 603 || r.bulk.Len() != 0 || r.head(n.ID).Progress.State != push.StateCancelled || len(r.done) != 1 ||
		len(r.closed) != 3 {
		t.Errorf("%v outcomes counted, %d chunks sent, %+v", r.metric(t, "outcomes"), r.bulk.Len(), r.head(n.ID).Progress)
	}
}

// TestCancelUnderWay: what nobody is sending is settled; a claimed line is its
// owner's.
func TestCancelUnderWay(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.batch(t, tokens(1, 2000)) // four chunks
	r.run(t, n.ID)
	ref := func(i int) push.ChunkRef { return push.ChunkRef{Notification: n.ID, Seq: i} }
	change := func(i int, f func(l ledger.Line) ledger.Line) {
		l, err := r.line(ref(i)).Claim("owner", 0, t0)
		if err != nil {
			t.Fatal(err)
		}
		l.Settle(0, push.CodeSent, false)
		l.MarkAmbiguous(1)
		r.ledger.PutLine(f(l))
	}
	change(1, func(l ledger.Line) ledger.Line { return l })
	change(2, func(l ledger.Line) ledger.Line { return l.HandBack(ledger.StateWaiting, 1, t0) })
	change(3, func(l ledger.Line) ledger.Line { return l.HandBack(ledger.StateParked, 0, t0) })
	claimed := r.line(ref(1))

	r.now = r.now.Add(time.Second)
	r.setState(n.ID, push.StateCancelled)
	if v := r.handle(wire.Task{Op: wire.OpCancel, Notification: n.ID, Page: wire.AllPages}); v.word != "ack" {
		t.Fatalf("%+v", v)
	}
	if diff := cmp.Diff(claimed, r.line(ref(1))); diff != "" {
		t.Errorf("a claimed line was touched:\n%s", diff)
	}
	for _, i := range []int{0, 2, 3} {
		l := r.line(ref(i))
		want := ledger.CellOf(push.CodeSent, false)
		if i == 0 {
			want = ledger.CellOf(push.CodeCancelled, false)
		}
		if l.State != ledger.StateClosed || l.Cells[0] != want || l.Cells[1] != ledger.CellOf(push.CodeCancelled, i != 0) ||
			l.Cells[499] != ledger.CellOf(push.CodeCancelled, false) {
			t.Errorf("line %d is %s: %v %v", i, l.State, l.Cells[0], l.Cells[1])
		}
	}
	if got := r.metric(t, "outcomes"); got != 500+499+499 {
		t.Errorf("%v outcomes counted", got)
	}
}

// TestResume: parked chunks are sent with what is open of them, others not
// twice.
func TestResume(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.batch(t, tokens(1, 1500)) // three chunks
	r.run(t, n.ID)
	for i, state := range []ledger.State{ledger.StateParked, ledger.StateWaiting, ledger.StateClaimed} {
		ref := push.ChunkRef{Notification: n.ID, Seq: i}
		l, err := r.line(ref).Claim("owner", 0, t0)
		if err != nil {
			t.Fatal(err)
		}
		l.Attempt = 2
		for cell := range 498 {
			l.Settle(cell, push.CodeSent, false)
		}
		if state != ledger.StateClaimed {
			l = l.HandBack(state, 3, t0)
		}
		r.ledger.PutLine(l)
	}
	r.bulk.TakeAll()
	r.run(t, n.ID)
	chunks := chunks(r.bulk)
	if len(chunks) != 1 {
		t.Fatalf("%d chunks sent, want the parked one", len(chunks))
	}
	want := push.Chunk{
		Ref: push.ChunkRef{Notification: n.ID, Seq: 0}, Tenant: "acme", Recipients: tokens(499, 2), Index: []int{498, 499}, Attempt: 2, Turn: 3,
	}
	want.Recipients[0].Unknown, want.Recipients[1].Unknown = true, true
	if diff := cmp.Diff(want, chunks[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestResumeLeavesReplays: a parked line that a replay opened has edits and a
// deadline that only the replay knows; planning sends nothing for it.
func TestResumeLeavesReplays(t *testing.T) {
	t.Parallel()
	for name, perSecond := range map[string]int{"all at once": 0, "step by step": 500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			n := r.batch(t, tokens(1, 1000)) // two chunks
			n.PerSecond = perSecond
			r.ledger.PutNotification(n)
			r.run(t, n.ID)
			for seq := range 2 {
				l := r.change(n.ID, seq, func(l *ledger.Line) {
					for i := range l.Cells {
						l.Cells[i] = ledger.CellOf(push.CodeAttemptsExhausted, false)
					}
					l.State = ledger.StateClosed
				})
				next, marks, err := l.Reopen([]int{3}, "rpl_1", t0)
				if err != nil {
					t.Fatal(err)
				}
				if seq == 1 {
					marks = nil // it was the batch's own, and parked
				}
				r.ledger.PutLine(next.HandBack(ledger.StateParked, next.Turn, t0))
				r.ledger.PutAttempts(l.Ref, marks)
			}
			r.bulk.TakeAll()
			r.tasks.TakeAll()
			r.run(t, n.ID)
			if chunks := chunks(r.bulk); len(chunks) != 1 || chunks[0].Ref.Seq != 1 {
				t.Errorf("%d chunks sent: %+v", len(chunks), chunks)
			}
		})
	}
}

// TestResolvedOnce: the first answer of the registry holds, whatever happens
// to the registry and to the process.
func TestResolvedOnce(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.device("d1", "ann", "hers-1", t0)
	r.device("d2", "ann", "hers-2", t0)
	n := r.accept(push.Target{UserIDs: []string{"ann"}})
	r.calls.Fail(6, false) // Plan
	if v := r.plan(n.ID); v.word != "retry" || v.after != 5*time.Second || len(r.ledger.AllLines()) != 0 || r.pages.Len() != 1 {
		t.Fatalf("%+v, %d lines, %d pages: the fault is at another place", v, len(r.ledger.AllLines()), r.pages.Len())
	}
	if err := r.devices.DeleteDevice(t.Context(), "acme", "d2"); err != nil {
		t.Fatal(err)
	}
	r.device("d0", "ann", "hers-0", t0)
	r.device("d3", "ann", "hers-3", t0)
	r.restart(t)
	r.run(t, n.ID)
	var got []string
	for _, rcp := range chunks(r.high)[0].Recipients {
		got = append(got, rcp.Address.Value.Reveal())
	}
	if diff := cmp.Diff([]string{"hers-1", "hers-2"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
