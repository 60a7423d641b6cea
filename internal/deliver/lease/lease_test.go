package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
)

var errAway = errors.New("the ledger is away")

// newLeases returns the leases of a process.
func newLeases(process string, lines Lines) *Leases {
	begun, dice := time.Now(), rand.New(rand.NewPCG(1, 2))
	return &Leases{
		Process: process, Lines: lines, Wrote: func(time.Duration) {},
		Moment: func() clock.Moment { return clock.Moment{Wall: time.Now(), Elapsed: time.Since(begun)} },
		Jitter: func(below time.Duration) time.Duration { return time.Duration(dice.Int64N(int64(below))) },
		Failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "failed"}), Log: zap.NewNop(),
	}
}

// leaseStep is one thing that one of two owners does, and what the ledger is like
// meanwhile.
type leaseStep struct {
	Who   int
	Op    string
	Fault string
	Pause time.Duration // before it
}

// leaseWorld is a line, and two processes that want it.
type leaseWorld struct {
	ref    push.ChunkRef
	ledger *ledgertest.Memory
	fault  string
	made   int // calls in this step
	serial int
	owners [2]leaseOwner
	kept   map[string]bool // evidence that an owner was told to be stored
	before ledger.Line
}

type leaseOwner struct {
	by      *Leases
	lease   *Lease
	lost    bool
	pending []string // evidence that nobody said is stored
}

func newLeaseWorld(cells int) *leaseWorld {
	w := &leaseWorld{ref: push.ChunkRef{Notification: "ntf_1"}, ledger: &ledgertest.Memory{}, kept: map[string]bool{}}
	w.ledger.PutLine(ledger.NewLine(ledger.Plan{Ref: w.ref, Sources: cells, Last: true, Cells: make([]ledger.Cell, cells)}, time.Now()))
	for i := range w.owners {
		w.owners[i].by = newLeases(fmt.Sprintf("p%d", i), ledgertest.Around{Store: w.ledger, Do: w.call})
	}
	w.before = w.stored()
	return w
}

// call makes a call of the ledger, as it is in this step.
func (w *leaseWorld) call(op string, effect func() error) error {
	w.made++
	once := w.made == 1
	switch {
	case w.fault == "away" || w.fault == "away once" && once:
		return errAway
	case op == "SaveLine" && (w.fault == "answers lost" || w.fault == "answer lost once" && once):
		_ = effect()
		return errAway
	}
	return effect()
}

func (w *leaseWorld) stored() ledger.Line { return w.ledger.AllLines()[w.ref] }

// play makes a step, and returns what is wrong with what came of it.
func (w *leaseWorld) play(ctx context.Context, s leaseStep) string {
	time.Sleep(s.Pause)
	o := &w.owners[s.Who]
	w.fault, w.made = s.Fault, 0
	switch {
	case s.Op == "take":
		w.take(ctx, o)
	case o.lease == nil:
	case s.Op == "settle":
		w.settle(o)
	case s.Op == "save" && o.lease.state == stateHeld:
		kept, lost := o.lease.SaveNow(ctx)
		if problem := w.ended(o, kept, lost); problem != "" {
			return problem
		}
	case s.Op == "finish":
		if problem := w.finish(ctx, o); problem != "" {
			return problem
		}
	}
	return w.verify()
}

// take claims the line, for a new lease, although somebody else may have it.
func (w *leaseWorld) take(ctx context.Context, o *leaseOwner) {
	if o.lease != nil {
		o.lease.Release()
	}
	*o = leaseOwner{by: o.by}
	l := o.by.New(zap.Skip)
	if _, err := l.Read(ctx, w.ref); err != nil {
		return
	}
	l.Line = l.Line.Forsaken()
	claimed, err := l.Claim(l.Line.Turn)
	if err != nil || l.Take(ctx, claimed) != nil {
		l.Release()
		return
	}
	o.lease = l
}

// settle decides the first open cell, with evidence.
func (w *leaseWorld) settle(o *leaseOwner) {
	l := o.lease
	cell := slices.IndexFunc(l.Line.Cells, ledger.Cell.Open)
	if cell < 0 {
		return
	}
	w.serial++
	mark := strconv.Itoa(w.serial)
	l.Line.Settle(cell, push.CodeSent, false)
	l.Note(ledger.Attempt{Cell: cell, Attempt: 1, Code: push.CodeSent, At: time.Now(), Detail: mark})
	o.pending = append(o.pending, mark)
}

// ended notes what an owner was told about a save.
func (w *leaseWorld) ended(o *leaseOwner, kept bool, lost error) string {
	switch {
	case lost != nil && !errors.Is(lost, ledger.ErrFenced):
		return "lost for another reason: " + lost.Error()
	case lost != nil:
		o.lost = true
	case kept && o.lost:
		return "a lost lease was written under"
	case kept:
		for _, mark := range o.pending {
			w.kept[mark] = true
		}
		o.pending = nil
		if !slices.Equal(w.stored().Cells, o.lease.Line.Cells) {
			return "kept, but the ledger has other cells"
		}
	case o.lease.state != stateInDoubt:
		return "a save failed, and the lease is not in doubt"
	}
	return ""
}

// finish ends a turn: what is in doubt is cleared up first.
func (w *leaseWorld) finish(ctx context.Context, o *leaseOwner) string {
	l := o.lease
	err := l.MakeSure(ctx)
	if err == nil {
		next := l.Line.HandBack(ledger.StateWaiting, l.Line.Turn, o.by.stamp())
		if next.OpenCount() == 0 {
			next = l.Line.Close(o.by.stamp())
		}
		err = l.Finish(ctx, next)
	}
	switch {
	case err == nil && o.lost:
		return "a lost lease was finished"
	case err == nil:
		for _, mark := range o.pending {
			w.kept[mark] = true
		}
	case errors.Is(err, ledger.ErrFenced) && w.stored().Owner == l.owner:
		return "called lost, but it is this lease's line"
	}
	l.Release()
	*o = leaseOwner{by: o.by}
	return ""
}

// verify holds the ledger against what owners were told.
func (w *leaseWorld) verify() string {
	now := w.stored()
	times := map[string]int{}
	for _, a := range w.ledger.AllAttempts()[w.ref] {
		times[a.Detail]++
	}
	for mark, n := range times {
		if n > 1 {
			return fmt.Sprintf("evidence %s is stored %d times", mark, n)
		}
	}
	for mark := range w.kept {
		if times[mark] != 1 {
			return fmt.Sprintf("evidence %s is not stored", mark)
		}
	}
	for i, c := range w.before.Cells {
		if !c.Open() && now.Cells[i] != c {
			return fmt.Sprintf("cell %d was %v and is %v", i, c, now.Cells[i])
		}
	}
	if now.Epoch < w.before.Epoch || now.Epoch == w.before.Epoch && (now.Owner != w.before.Owner || !slices.Equal(now.Cells, w.before.Cells)) {
		return fmt.Sprintf("epoch %d after %d", now.Epoch, w.before.Epoch)
	}
	w.before = now
	return ""
}

// TestLease: whatever the ledger refuses, loses or takes late, and whoever takes
// the line in between, no decided cell is undone, what an owner was told to be kept
// is stored once, and nobody writes under a lease that is lost.
func TestLease(t *testing.T) {
	t.Parallel()
	step := rapid.Custom(func(t *rapid.T) leaseStep {
		return leaseStep{
			Who:   rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "who"),
			Op:    rapid.SampledFrom([]string{"take", "settle", "settle", "save", "save", "finish"}).Draw(t, "op"),
			Fault: rapid.SampledFrom([]string{"", "", "away once", "answer lost once", "away", "answers lost"}).Draw(t, "fault"),
			Pause: time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond,
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		cells, steps := rapid.IntRange(1, 6).Draw(rt, "cells"), rapid.SliceOfN(step, 1, 25).Draw(rt, "steps")
		problem := ""
		synctest.Test(t, func(t *testing.T) {
			w := newLeaseWorld(cells)
			for i, s := range steps {
				if problem = w.play(t.Context(), s); problem != "" {
					problem = fmt.Sprintf("step %d, %+v: %s", i, s, problem)
					return
				}
			}
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// TestLeaseInDoubt: what a save without an answer came to is found out before
// anything else is written.
func TestLeaseInDoubt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault string
		other bool // somebody else takes the line meanwhile
		want  error
		marks int // stored in the end
	}{
		{"it was not written", "away", false, nil, 2},
		{"it was written", "answers lost", false, nil, 2},
		{"it was not, and somebody else took the line", "away", true, ledger.ErrFenced, 0},
		{"it was, and somebody else took the line", "answers lost", true, ledger.ErrFenced, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newLeaseWorld(3)
				one, two := &w.owners[0], &w.owners[1]
				w.take(t.Context(), one)
				w.settle(one)
				w.fault = c.fault
				begun := time.Now()
				if kept, lost := one.lease.SaveNow(t.Context()); kept || lost != nil || one.lease.state != stateInDoubt {
					t.Fatalf("kept %t, %v, state %d", kept, lost, one.lease.state)
				}
				if took := time.Since(begun); took < saveFor || took > saveFor+longestPause {
					t.Errorf("given up after %v", took)
				}
				w.fault = ""
				w.settle(one)
				if c.other {
					w.take(t.Context(), two)
				}
				err := one.lease.MakeSure(t.Context())
				if err == nil {
					err = one.lease.Finish(t.Context(), one.lease.Line.HandBack(ledger.StateWaiting, 1, one.by.stamp()))
				}
				if !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if n := len(w.ledger.AllAttempts()[w.ref]); n != c.marks {
					t.Errorf("evidence of %d, want %d", n, c.marks)
				}
			})
		})
	}
}

// TestLeaseHolds: a request may start while the line was confirmed a moment ago,
// by the time at which the write began, and by either clock.
func TestLeaseHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLeaseWorld(1)
		o := &w.owners[0]
		if o.by.New(zap.Skip).Holds() {
			t.Error("a lease holds that nobody took")
		}
		w.take(t.Context(), o)
		for range 3 {
			time.Sleep(limit - time.Millisecond)
			if !o.lease.Holds() {
				t.Error("does not hold before its time is over")
			}
			time.Sleep(time.Millisecond)
			if o.lease.Holds() {
				t.Error("holds after its time")
			}
			if kept, lost := o.lease.SaveNow(t.Context()); !kept || !o.lease.Holds() {
				t.Errorf("kept %t, %v: does not hold", kept, lost)
			}
		}
		awake := o.by.Moment
		o.by.Moment = func() clock.Moment { // the machine slept
			now := awake()
			now.Wall = now.Wall.Add(time.Hour)
			return now
		}
		if o.lease.Holds() {
			t.Error("holds an hour later by the wall clock")
		}
	})
}

// TestLeaseOwners: a process knows its own claims, and which of them are in hand.
func TestLeaseOwners(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newLeaseWorld(1)
		w.take(t.Context(), &w.owners[0])
		for i, want := range [][2]bool{{true, true}, {false, false}} {
			l := w.owners[i].by.New(zap.Skip)
			if _, err := l.Read(t.Context(), w.ref); err != nil {
				t.Fatal(err)
			}
			if own, held := l.Ours(); [2]bool{own, held} != want {
				t.Errorf("process %d: own %t, held %t", i, own, held)
			}
		}
		w.owners[0].lease.Release()
		if own, held := w.owners[0].lease.Ours(); !own || held {
			t.Errorf("after the turn: own %t, held %t", own, held)
		}
	})
}
