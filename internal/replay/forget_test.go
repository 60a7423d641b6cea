package replay

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// TestForget: the record of a replay outlives its letters, and nothing that is still to be done
// is forgotten.
func TestForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		forget := func(want int) {
			t.Helper()
			n, err := w.room.Forget(t.Context(), time.Now().Add(-24*time.Hour))
			if err != nil || n != want {
				t.Errorf("forgot %d (%v), want %d", n, err, want)
			}
		}
		start := func() push.ID {
			t.Helper()
			w.Die(w.Chunk(dead, dead))
			time.Sleep(time.Second)
			s, err := w.room.Simulate(t.Context(), predict.SimulateRequest{All: true})
			w.Must(err)
			run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID, By: "me"})
			w.Must(err)
			return run.ID
		}
		id := start()
		time.Sleep(48 * time.Hour)
		forget(1) // the simulation; the run waits for somebody who executes it
		_, err := w.room.Cancel(t.Context(), id, "me")
		w.Must(err)
		w.Must(document.Save(t.Context(), w.room.cfg.Documents, kindPulse, string(id), 1, pulse{}, time.Now())) // of a crash
		forget(0)
		time.Sleep(48 * time.Hour)
		forget(2)
		if _, err := w.room.Status(t.Context(), id); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("reading a forgotten replay: %v", err)
		}
	})
}

// TestForgetLeavesLetters: a replay of which the store has a letter is not forgotten.
func TestForgetLeavesLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		run := Run{ID: push.NewID(push.PrefixReplay), State: RunCompleted, UpdatedAt: time.Now()}
		w.Must(document.Save(t.Context(), w.room.cfg.Documents, kindRun, string(run.ID), 1, &run, time.Now()))
		l := push.Letter{
			ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterRecipient, State: push.LetterReplayed, Outcome: push.CodeSent,
			Replay: run.ID, Version: 3, MovedAt: time.Now(), StoredAt: time.Now(),
		}
		_, err := w.LettersPort().PutLetters(t.Context(), []push.Letter{l})
		w.Must(err)
		time.Sleep(48 * time.Hour)
		for _, want := range []int{0, 1} {
			n, err := w.room.Forget(t.Context(), time.Now().Add(-24*time.Hour))
			if err != nil || n != want {
				t.Errorf("forgot %d (%v), want %d", n, err, want)
			}
			_, err = w.LettersPort().PurgeLetters(t.Context(), time.Now(), 10)
			w.Must(err)
		}
	})
}
