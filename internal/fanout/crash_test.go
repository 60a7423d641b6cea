package fanout_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/raced"
)

// TestCrashAnywhere lets every call of a port fail once, before and after its
// effect. Whoever handles the tasks that come again must end with the same
// plan, and must have sent every open chunk.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	for _, scene := range []struct {
		name string
		make func(r *rig) push.Notification
	}{
		{"users", func(r *rig) push.Notification {
			r.device("d1", "ann", "hers", t0)
			r.device("d2", "ann", "-ill", t0)
			r.device("d3", "bob", "his", t0)
			return r.accept(push.Target{UserIDs: []string{"ann", "nobody", "bob", "ann"}})
		}},
		{"a small batch", func(r *rig) push.Notification { return r.batch(t, heavy(1, 10)) }},
		{"a batch of pages", func(r *rig) push.Notification { return r.batch(t, heavy(1, 4), nil, heavy(5, 4)) }},
		{"nothing to send", func(r *rig) push.Notification { return r.accept(push.Target{UserIDs: []string{"nobody"}}) }},
		{"a cancelled batch", func(r *rig) push.Notification {
			n := r.batch(t, heavy(1, 4), tokens(5, 3))
			r.setState(n.ID, push.StateCancelled)
			return n
		}},
	} {
		t.Run(scene.name, func(t *testing.T) {
			t.Parallel()
			calm := setup(t)
			id := scene.make(calm).ID
			calm.finish(t, id)
			calls := calm.calls.Made()
			for at := 1; at <= calls; at++ {
				for _, after := range []bool{false, true} {
					r := setup(t)
					scene.make(r)
					r.calls.Fail(at, after)
					where := fmt.Sprintf("call %d of %d fails (after its effect: %t)", at, calls, after)
					r.finish(t, id)
					r.check(t, where, calm)
				}
			}
		})
	}
}

// TestCrashInTheChain lets every call of a port fail once, before and after its
// effect, while a batch is released step by step during its upload.
func TestCrashInTheChain(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, 100} {
		live := func(at int, after bool) *world {
			w := newWorld(t, t)
			w.calls.Fail(at, after)
			id := w.early(t, rate)
			w.start(id)
			for i := range 3 {
				w.until(w.now.Add(1500 * time.Millisecond))
				w.upload(t, id, tokens(1+i*200, 200))
			}
			w.pause(id)
			w.until(w.now.Add(2 * time.Second))
			w.resume(id)
			w.until(w.now.Add(time.Second))
			w.change(id, func(p *push.Progress) { p.Early = false })
			w.until(t0.Add(2 * time.Minute))
			return w
		}
		calls := live(0, false).calls.Made()
		for at := 1; at <= calls; at += calls / raced.Rounds(calls) {
			for _, after := range []bool{false, true} {
				w := live(at, after)
				where := fmt.Sprintf("%d/s: call %d of %d fails (after its effect: %t)", rate, at, calls, after)
				if s := w.state(batID); len(w.reached) != 3*200 || s != push.StateCompleted || len(w.tasks) != 0 {
					t.Fatalf("%s: %d reached, it is %s, %d tasks left", where, len(w.reached), s, len(w.tasks))
				}
				for a, times := range w.reached {
					if times != 1 {
						t.Fatalf("%s: %v was reached %d times", where, a, times)
					}
				}
				if most := w.most(time.Second); rate > 0 && most > 2*rate {
					t.Fatalf("%s: %d in one second", where, most)
				}
			}
		}
	}
}

// heavy returns recipients of which three fill a chunk.
func heavy(first, n int) []push.Recipient {
	rs := tokens(first, n)
	for i := range rs {
		rs[i].Data = map[string]string{"k": strings.Repeat("v", push.MaxChunkBytes/4)}
	}
	return rs
}

// finish plans until every task is acknowledged. A retry restarts the process.
func (r *rig) finish(tb testing.TB, id push.ID) {
	tb.Helper()
	todo := []wire.Task{{Op: wire.OpPlan, Notification: id, Page: wire.AllPages}}
	for len(todo) > 0 {
		v := r.handle(todo[0])
		switch {
		case v.word == "retry" && v.body == "":
			r.restart(tb)
			continue
		case v.word == "retry", v.word == "ack": // a check that asks again is done with here
		default:
			tb.Fatalf("%+v: %+v", todo[0], v)
		}
		todo = todo[1:]
		for _, m := range r.tasks.All() {
			task, err := wire.DecodeTask(m.Body)
			if err != nil {
				tb.Fatal(err)
			}
			todo = append(todo, task)
		}
		r.tasks.TakeAll()
	}
}

// check compares with a run in which nothing failed.
func (r *rig) check(tb testing.TB, where string, calm *rig) {
	tb.Helper()
	if !reflect.DeepEqual(calm.plans(), r.plans()) { // quick; the difference, should there be one, takes longer
		tb.Fatalf("%s: plans (-calm +got):\n%s", where, cmp.Diff(calm.plans(), r.plans()))
	}
	if !reflect.DeepEqual(calm.ledger.AllLines(), r.ledger.AllLines()) {
		tb.Fatalf("%s: lines (-calm +got):\n%s", where, cmp.Diff(calm.ledger.AllLines(), r.ledger.AllLines()))
	}
	for _, id := range []push.ID{ntfID, batID} {
		if got := r.head(id).Progress.State; got != calm.head(id).Progress.State {
			tb.Fatalf("%s: state is %s, want %s", where, got, calm.head(id).Progress.State)
		}
	}
	sent := map[push.ChunkRef][]int{}
	for _, c := range append(chunks(r.high), chunks(r.bulk)...) {
		if old, twice := sent[c.Ref]; twice && !slices.Equal(old, c.Index) {
			tb.Fatalf("%s: chunk %s was sent with the cells %v and %v", where, c.Ref, old, c.Index)
		}
		sent[c.Ref] = c.Index
	}
	for ref, l := range r.ledger.AllLines() {
		var open []int
		for i, cell := range l.Cells {
			if cell.Open() {
				open = append(open, i)
			}
		}
		if l.State == ledger.StatePlanned && !slices.Equal(sent[ref], open) {
			tb.Fatalf("%s: chunk %s was sent with the cells %v, open are %v", where, ref, sent[ref], open)
		}
	}
}
