package replay

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// TestRunMachine runs replays that die at any port call, before or after it had
// its effect, while messages are delivered, delivered twice, fail again and go
// back, queues are purged, and operators pause, resume, cancel and discard. In the end every letter
// was replayed once, discarded or is parked, nobody got a message twice, and no
// line was left open.
func TestRunMachine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var failed any
		synctest.Test(t, func(t *testing.T) {
			defer func() { failed = recover() }() // rapid wants it on its own goroutine
			m := &machine{world: newWorld(rt, t.Context), rt: rt}
			for range rapid.IntRange(5, 40).Draw(rt, "steps") {
				m.step()
				m.check()
			}
			m.finish()
		})
		if failed != nil {
			panic(failed)
		}
	})
}

type machine struct {
	*world
	rt   *rapid.T
	runs []push.ID
	born int // letters ever
}

func (m *machine) step() {
	time.Sleep(time.Millisecond) // of the bubble: what was stored lies before what is simulated
	switch rapid.SampledFrom(
		[]string{"die", "die", "start", "run", "run", "run", "deliver", "deliver", "deliver", "control", "discard", "purge", "reconcile"},
	).Draw(m.rt, "step") {
	case "die":
		codes := rapid.SliceOfN(
			rapid.SampledFrom([]push.Code{push.CodeSent, push.CodeAttemptsExhausted, push.CodeAttemptsExhausted, push.CodeExpired}), 1,
			6).Draw(m.rt, "cells")
		ref := m.Chunk(codes...)
		m.Die(ref)
		if rapid.IntRange(0, 5).Draw(m.rt, "again") == 0 {
			// The same recipients again, of a later turn: a burial that was cut short.
			line := m.Line(ref)
			line.Turn++
			m.Ledger.PutLine(line)
			m.Die(ref)
		}
	case "start":
		o := Options{
			Canary:       rapid.SampledFrom([]float64{0, 0, 0.3, 1}).Draw(m.rt, "canary"),
			Rate:         rapid.SampledFrom([]float64{0, 0, 1, 3}).Draw(m.rt, "rate"),
			StopIfRefail: rapid.SampledFrom([]float64{0, 0, 0.5}).Draw(m.rt, "stop"), Max: rapid.SampledFrom([]int64{0, 0, 0, 2}).Draw(m.rt, "max"),
		}
		sim, err := m.room.Simulate(m.Context(), predict.SimulateRequest{All: true})
		if errors.Is(err, letters.ErrNothing) {
			return
		}
		m.Must(err)
		run, err := m.room.Start(m.Context(), StartRequest{Simulation: sim.ID, Options: o})
		if errors.Is(err, letters.ErrNothing) {
			return
		}
		m.Must(err)
		m.runs = append(m.runs, run.ID)
	case "run":
		if id, ok := m.anyRun(); ok {
			m.Calls.Die(rapid.IntRange(1, 60).Draw(m.rt, "calls"), rapid.Bool().Draw(m.rt, "after"))
			if _, err := m.room.Run(m.Context(), id); err != nil && !errors.Is(err, workertest.ErrFault) {
				m.T.Fatalf("run: %v", err)
			}
			m.reboot()
		}
	case "deliver":
		m.deliverOne(func(place) push.Code {
			outcomes := []push.Code{push.CodeSent, push.CodeSent, push.CodeAttemptsExhausted, push.CodeOpen, push.CodeFCMUnregistered}
			return rapid.SampledFrom(outcomes).Draw(m.rt, "outcome")
		})
		m.Drain()
	case "control":
		if id, ok := m.anyRun(); ok {
			m.control(id)
		}
	case "purge":
		for m.lane.Len() > 0 {
			m.lane.Take(0)
		}
	case "reconcile":
		time.Sleep(forgotten)
		m.Calls.Die(rapid.IntRange(1, 60).Draw(m.rt, "calls"), rapid.Bool().Draw(m.rt, "after"))
		if err := m.reconcile(m.room.NewReconciler(nil)); err != nil && !errors.Is(err, workertest.ErrFault) {
			m.T.Fatalf("reconcile: %v", err)
		}
		m.reboot()
	case "discard":
		l := rapid.SampledFrom(append(m.All(), push.Letter{ID: "dlt_none"})).Draw(m.rt, "letter")
		_, err := m.kept.Discard(m.Context(), letters.DiscardRequest{Filter: push.LetterFilter{IDs: []push.ID{l.ID}}, Reason: "test"})
		if err != nil && !errors.Is(err, letters.ErrNothing) {
			m.T.Fatalf("discard: %v", err)
		}
	}
}

func (m *machine) anyRun() (push.ID, bool) {
	if len(m.runs) == 0 {
		return "", false
	}
	return rapid.SampledFrom(m.runs).Draw(m.rt, "replay"), true
}

func (m *machine) control(id push.ID) {
	op := rapid.SampledFrom([]func(context.Context, push.ID, string) (Run, error){m.room.Pause, m.room.Resume, m.room.Cancel}).Draw(m.rt, "op")
	if _, err := op(m.Context(), id, "me"); err != nil && !errors.As(err, new(*push.StateError)) {
		m.T.Fatalf("control: %v", err)
	}
}

// deliverOne handles a message of the lane, and perhaps leaves it to come again.
func (m *machine) deliverOne(outcome func(place) push.Code) bool {
	n := m.lane.Len()
	if n == 0 {
		return false
	}
	take := m.lane.Take
	i := rapid.IntRange(0, n-1).Draw(m.rt, "message")
	if rapid.IntRange(0, 4).Draw(m.rt, "leave") == 0 {
		take = m.lane.Peek
	}
	m.Deliver(take(i).Body, outcome)
	return true
}

// check holds after every step, whoever died.
func (m *machine) check() {
	all := m.All()
	if len(all) < m.born {
		m.T.Fatalf("%d letters, there were %d", len(all), m.born)
	}
	m.born = len(all)
	for at, n := range m.Accepted() {
		if n > 1 {
			m.T.Fatalf("%s#%d got the message %d times", at.Ref, at.Cell, n)
		}
	}
	replayed := map[place]int{}
	for i := range all {
		l := &all[i]
		at := place{Ref: l.Ref(), Cell: l.Cell}
		switch l.State {
		case push.LetterReplaying:
			replayed[at]++ // perhaps
		case push.LetterReplayed:
			replayed[at]++
			if !ledger.ReopenedBy(m.Ledger.AllAttempts()[l.Ref()], l.Replay)[l.Cell] {
				m.T.Fatalf("%s is replayed by %s, and the ledger has no mark of it", l.ID, l.Replay)
			}
		case push.LetterParked, push.LetterDiscarded:
		}
	}
	marks := map[place]int{}
	for ref, evidence := range m.Ledger.AllAttempts() {
		for i := range evidence {
			if evidence[i].Attempt == 0 {
				marks[place{Ref: ref, Cell: evidence[i].Cell}]++
			}
		}
	}
	for at, n := range marks {
		if n > replayed[at] {
			m.T.Fatalf("%s#%d was reopened %d times for %d letters", at.Ref, at.Cell, n, replayed[at])
		}
	}
}

// finish lets everything come to rest.
func (m *machine) finish() {
	stop := make(chan struct{})
	done := make(chan struct{})
	sent := func(place) push.Code { return push.CodeSent }
	go func() { // the dispatcher, and the janitor
		defer close(done)
		janitor := m.room.NewReconciler(nil)
		for looked := time.Now(); ; {
			if time.Since(looked) >= time.Minute {
				if err := m.reconcile(janitor); err != nil {
					panic(err)
				}
				looked = time.Now()
			}
			for m.lane.Len() > 0 {
				m.Deliver(m.lane.Take(0).Body, sent)
			}
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	defer func() { // also when it fails: the bubble ends with its goroutines
		if stop != nil {
			close(stop)
			<-done
		}
	}()
	for _, id := range m.runs {
		before, err := m.room.Status(m.Context(), id)
		m.Must(err)
		final := before.State.Final()
		if before.State == RunPaused || before.State == RunStopped {
			_, err = m.room.Resume(m.Context(), id, "me")
			m.Must(err)
		}
		s, err := m.room.Run(m.Context(), id)
		m.Must(err)
		if !s.State.Final() && s.State != RunStopped || s.Tally.Replaying != 0 {
			m.T.Fatalf("%s ends as %s with %d letters in hand", id, s.State, s.Tally.Replaying)
		}
		if s.State == RunCompleted && s.Options.Max == 0 && !final {
			m.nothingForgotten(&s)
		}
	}
	time.Sleep(2 * forgotten)
	close(stop)
	<-done
	stop = nil
	m.check()
	for ref, line := range m.Ledger.AllLines() {
		if line.State != ledger.StateClosed {
			m.T.Fatalf("%s is left %s of %q with %d open recipients, and no message carries them", ref, line.State, line.Owner, line.OpenCount())
		}
	}
	for _, l := range m.All() {
		if l.State == push.LetterReplaying {
			m.T.Fatalf("%s is left in hand", l.ID)
		}
	}
}

// nothingForgotten checks that a replay that has just completed sent every
// letter of its set that could be sent, but for those whose chunk was in delivery for
// longer than it waits, as one is whose message the queue lost.
func (m *machine) nothingForgotten(s *Status) {
	late := s.Skipped[predict.InDelivery]
	left := slices.DeleteFunc(m.All(), func(l push.Letter) bool { return !s.Filter.Match(&l) || l.ReplayOf == s.ID })
	verdicts, err := m.room.cfg.Predict.Examine(m.Context(), left, &s.Edits)
	m.Must(err)
	for i := range left {
		l := &left[i]
		// What died again after this replay may have an older letter left.
		if verdicts[i].Prediction.Sends() && !ledger.ReopenedBy(m.Ledger.AllAttempts()[l.Ref()], s.ID)[l.Cell] {
			if late--; late >= 0 {
				continue
			}
			m.T.Fatalf("%s was not replayed by %s, and could have been: skipped %v", l.ID, s.ID, s.Skipped)
		}
	}
}
