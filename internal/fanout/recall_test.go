package fanout_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// recallOf returns the task that a janitor writes for a page: every line of it
// that is open, as it is now.
func (r *rig) recallOf(n *push.Notification, page int) wire.Task {
	t := wire.Task{Op: wire.OpRecall, Notification: n.ID, Page: page, TraceParent: trace}
	for _, ref := range slices.SortedFunc(maps.Keys(r.ledger.AllLines()), func(a, b push.ChunkRef) int { return a.Seq - b.Seq }) {
		if l := r.line(ref); ref.Page() == page && l.State != ledger.StateClosed {
			t.Chunks, t.Epochs = append(t.Chunks, ref.Seq%push.ChunksPerPage), append(t.Epochs, l.Epoch)
		}
	}
	return t
}

// planned returns a batch of one page of three chunks that is planned, and whose
// messages are lost.
func (r *rig) lostBatch(t *testing.T, tune func(n *push.Notification)) push.Notification {
	t.Helper()
	n := r.batch(t, tokens(1, 1200))
	if tune != nil {
		tune(&n)
		r.ledger.PutNotification(n)
	}
	r.run(t, n.ID)
	if r.bulk.Len() != 3 {
		t.Fatalf("%d messages", r.bulk.Len())
	}
	r.bulk.TakeAll()
	r.tasks.TakeAll()
	return n
}

func (r *rig) change(id push.ID, seq int, f func(l *ledger.Line)) ledger.Line {
	ref := push.ChunkRef{Notification: id, Seq: seq}
	l := r.line(ref)
	l.Cells = slices.Clone(l.Cells)
	f(&l)
	r.ledger.PutLine(l)
	return l
}

func attempt(cell, try int, code push.Code) ledger.Attempt {
	return ledger.Attempt{Cell: cell, Attempt: try, Code: code, At: t0}
}

// TestRecall: what a lost message held is made again from page, line and
// evidence.
func TestRecall(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.lostBatch(t, nil)
	r.now = t0.Add(time.Hour)
	due := r.now.Add(40 * time.Minute)
	r.change(n.ID, 1, func(l *ledger.Line) { // handed back
		for i := range l.Cells[:497] {
			l.Settle(i, push.CodeSent, false)
		}
		l.State, l.Epoch, l.Turn, l.Attempt, l.Due = ledger.StateWaiting, 9, 2, 3, due
	})
	r.ledger.PutAttempts(push.ChunkRef{Notification: n.ID, Seq: 1}, []ledger.Attempt{
		attempt(0, 1, push.CodeSent), attempt(497, 1, push.CodeFCMInternal), attempt(498, 1, push.CodeFCMInternal),
		attempt(497, 2, push.CodeFCMUnavailable),
	})
	r.change(n.ID, 2, func(l *ledger.Line) { // its owner died
		l.State, l.Owner, l.Epoch, l.Attempt = ledger.StateClaimed, "dead", 1, 1
		l.Reserve(0, 20)
	})
	if v := r.handle(r.recallOf(&n, 0)); v.word != "ack" {
		t.Fatalf("%+v", v)
	}
	chunks := chunks(r.bulk)
	if len(chunks) != 3 {
		t.Fatalf("%d messages", len(chunks))
	}
	all := tokens(1, 1200)
	want := push.Chunk{
		Ref: push.ChunkRef{Notification: n.ID, Seq: 1}, Tenant: "acme", Recipients: all[997:1000], Index: []int{497, 498, 499},
		Attempt: 3, Attempts: []int{3, 2, 1}, Turn: 3, LastCode: push.CodeFCMUnavailable, NotBefore: due, Wait: 25 * time.Minute,
	}
	for i := range want.Recipients {
		want.Recipients[i].Renew = chunks[1].Recipients[i].Renew // the registry was not asked
	}
	if diff := cmp.Diff(want, chunks[1]); diff != "" {
		t.Errorf("a chunk that was handed back (-want +got):\n%s", diff)
	}
	if r.bulk.Peek(1).Delay != 15*time.Minute || r.bulk.Peek(0).Delay != 0 {
		t.Errorf("delays are %v and %v", r.bulk.Peek(0).Delay, r.bulk.Peek(1).Delay)
	}
	if got := len(chunks[0].Recipients) + len(chunks[2].Recipients); got != 700 || chunks[0].Turn != 1 || chunks[2].Turn != 1 {
		t.Errorf("%d recipients, turns %d and %d", got, chunks[0].Turn, chunks[2].Turn)
	}
	for i, c := range chunks {
		l := r.line(c.Ref)
		if l.State != ledger.StateWaiting || l.Turn != c.Turn || !l.UpdatedAt.Equal(r.now) || l.Due.IsZero() != (i != 1) {
			t.Errorf("line %d is %s, turn %d, due %v", c.Ref.Seq, l.State, l.Turn, l.Due)
		}
		for cell, x := range l.Cells {
			if x.PossibleDuplicate() != (i == 2 && cell < 20) {
				t.Fatalf("line %d, cell %d: flagged is %v", c.Ref.Seq, cell, x.PossibleDuplicate())
			}
		}
	}
	if got := r.metric(t, "belfry_chunks_recalled_total"); got != 3 {
		t.Errorf("%v chunks counted", got)
	}
}

// TestRecallLeavesAlone: who writes a line, or has its message, is not disturbed.
func TestRecallLeavesAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		tune func(r *rig, n *push.Notification, task *wire.Task)
	}{
		{"a line that was written since", func(r *rig, n *push.Notification, _ *wire.Task) {
			r.change(n.ID, 0, func(l *ledger.Line) { l.Epoch++ })
		}},
		{"a closed line", func(r *rig, _ *push.Notification, _ *wire.Task) { r.closeAll(t) }},
		{"a line whose owner lives", func(r *rig, n *push.Notification, _ *wire.Task) {
			r.change(n.ID, 0, func(l *ledger.Line) {
				l.State, l.Owner, l.UpdatedAt = ledger.StateClaimed, "alive", r.now.Add(-time.Second)
			})
		}},
		{"a line that a replay opened", func(r *rig, n *push.Notification, task *wire.Task) {
			l := r.change(n.ID, 0, func(l *ledger.Line) {
				for i := range l.Cells {
					l.Cells[i] = ledger.CellOf(push.CodeAttemptsExhausted, false)
				}
				l.State = ledger.StateClosed
			})
			next, marks, err := l.Reopen([]int{3}, "rpl_1", t0)
			if err != nil {
				t.Fatal(err)
			}
			r.ledger.PutLine(next)
			r.ledger.PutAttempts(l.Ref, marks)
			task.Epochs[0] = next.Epoch
		}},
		{"a line of a paused batch", func(r *rig, n *push.Notification, _ *wire.Task) { r.setState(n.ID, push.StatePaused) }},
		{"a line that is not there", func(_ *rig, _ *push.Notification, task *wire.Task) { task.Chunks[0] = 77 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			n := r.lostBatch(t, nil)
			r.now = t0.Add(time.Hour)
			task := r.recallOf(&n, 0)
			task.Chunks, task.Epochs = task.Chunks[:1], task.Epochs[:1]
			c.tune(r, &n, &task)
			before := maps.Clone(r.ledger.AllLines())
			if v := r.handle(task); v.word != "ack" || r.bulk.Len() != 0 {
				t.Errorf("%+v and %d messages", v, r.bulk.Len())
			}
			if diff := cmp.Diff(before, r.ledger.AllLines()); diff != "" {
				t.Errorf("lines changed:\n%s", diff)
			}
		})
	}
}

// TestRecallAfterTheDeadline: nothing stays open past its time, planned or not,
// paused or not.
func TestRecallAfterTheDeadline(t *testing.T) {
	t.Parallel()
	for _, state := range []push.State{push.StateAccepted, push.StatePaused, push.StateDeadLettered, push.StateCancelled} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			n := r.batch(t, tokens(1, 600), tokens(601, 10))
			n.Guarantee = push.AtMostOnce
			r.ledger.PutNotification(n)
			if v := r.handle(wire.Task{Op: wire.OpPlan, Notification: n.ID, Page: 0}); v.word != "ack" {
				t.Fatalf("%+v", v)
			}
			r.bulk.TakeAll()
			r.setState(n.ID, state)
			r.change(n.ID, 1, func(l *ledger.Line) {
				l.State, l.Owner, l.Epoch = ledger.StateClaimed, "dead", 1
				l.Reserve(0, 5)
			})
			r.now = n.Deadline().Add(time.Minute)
			for page := range 2 {
				if v := r.handle(r.recallOf(&n, page)); v.word != "ack" {
					t.Fatalf("page %d: %+v", page, v)
				}
			}
			code, unplanned := push.CodeExpired, 0
			if state == push.StateCancelled {
				code = push.CodeCancelled
			}
			if state == push.StateDeadLettered {
				unplanned = 10
			}
			counts, _ := r.ledger.Counts(t.Context(), n.ID)
			if counts.ByCode[code] != int64(605-unplanned) || counts.ByCode[push.CodeUnknown] != 5 || counts.ByCode[push.CodeOpen] != 0 ||
				r.bulk.Len() != 0 {
				t.Errorf("%d %s, %d unknown, %d open, %d messages", counts.ByCode[code], code, counts.ByCode[push.CodeUnknown],
					counts.ByCode[push.CodeOpen], r.bulk.Len())
			}
			if got := r.metric(t, "outcomes"); got != float64(610-unplanned) {
				t.Errorf("%v outcomes counted", got)
			}
			if want := 3; len(r.closed) != want && unplanned == 0 {
				t.Errorf("%d closed lines told, want %d", len(r.closed), want)
			}
		})
	}
}

// TestRecallWithoutItsPage: a page that is gone can't be sent again. Its
// notification is dead-lettered once, what it had planned expires in time.
func TestRecallWithoutItsPage(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.lostBatch(t, nil)
	if err := r.pages.DeletePages(t.Context(), n.ID); err != nil {
		t.Fatal(err)
	}
	if v := r.handle(r.recallOf(&n, 0)); v.word != "dead" || r.head(n.ID).Progress.State != push.StateDeadLettered {
		t.Fatalf("%+v, %s", v, r.head(n.ID).Progress.State)
	}
	if v := r.handle(r.recallOf(&n, 0)); v.word != "ack" || r.bulk.Len() != 0 {
		t.Fatalf("the second time: %+v", v)
	}
	r.now = n.Deadline()
	if v := r.handle(r.recallOf(&n, 0)); v.word != "ack" {
		t.Fatalf("%+v", v)
	}
	if counts, _ := r.ledger.Counts(t.Context(), n.ID); counts.ByCode[push.CodeExpired] != 1200 {
		t.Errorf("%d expired", counts.ByCode[push.CodeExpired])
	}
}

// TestRecallSurvivesCrash: whatever call fails, the task that comes again leaves
// every open line with a message that is not stale.
func TestRecallSurvivesCrash(t *testing.T) {
	t.Parallel()
	scene := func(t *testing.T) (*rig, wire.Task) {
		t.Helper()
		r := setup(t)
		n := r.lostBatch(t, nil)
		r.change(n.ID, 1, func(l *ledger.Line) { l.State, l.Epoch = ledger.StateWaiting, 4 })
		r.now = t0.Add(time.Hour)
		return r, r.recallOf(&n, 0)
	}
	calm, task := scene(t)
	before := calm.calls.Made()
	calm.handle(task)
	calls := calm.calls.Made() - before
	if calls < 6 {
		t.Fatalf("%d calls", calls)
	}
	for at := 1; at <= calls; at++ {
		for _, after := range []bool{false, true} {
			r, task := scene(t)
			r.calls.Fail(at, after)
			if v := r.handle(task); v.word == "retry" {
				v = r.handle(task)
				if v.word != "ack" {
					t.Fatalf("call %d, after %v: %+v", at, after, v)
				}
			}
			turns := map[push.ChunkRef]int{}
			for _, c := range chunks(r.bulk) {
				turns[c.Ref] = max(turns[c.Ref], c.Turn)
			}
			for ref, l := range r.ledger.AllLines() {
				if turns[ref] < l.Turn || l.Turn != 1 {
					t.Errorf("call %d, after %v: line %d waits for turn %d, its message has %d", at, after, ref.Seq, l.Turn, turns[ref])
				}
			}
		}
	}
}

// TestGap: planners may die while they record a page side by side. Whoever plans
// it again closes the gap that this left.
func TestGap(t *testing.T) {
	t.Parallel()
	for missing := range 3 {
		t.Run(strconv.Itoa(missing), func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			n := r.lostBatch(t, nil)
			for _, seq := range []int{missing, 2} { // the last of a page is recorded last
				r.ledger.ForgetLine(push.ChunkRef{Notification: n.ID, Seq: seq})
			}
			r.run(t, n.ID)
			counts, _ := r.ledger.Counts(t.Context(), n.ID)
			chunks := chunks(r.bulk)
			if len(chunks) != 3 || counts.Recipients != 1200 || counts.PagesPlanned != 1 {
				t.Errorf("%d messages, %d recipients", len(chunks), counts.Recipients)
			}
			for _, c := range chunks {
				if len(c.Recipients) != len(r.line(c.Ref).Cells) {
					t.Errorf("chunk %d has %d recipients, its line %d cells", c.Ref.Seq, len(c.Recipients), len(r.line(c.Ref).Cells))
				}
			}
		})
	}
}
