package replay

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

func TestStart(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		then func(w *world, s *predict.Simulation)
		o    Options
		want error
	}{
		{"as simulated", func(*world, *predict.Simulation) {}, Options{}, nil},
		{"new letters don't matter", func(w *world, _ *predict.Simulation) { w.Die(w.Chunk(dead)) }, Options{}, nil},
		{"an hour later", func(*world, *predict.Simulation) { time.Sleep(time.Hour) }, Options{}, nil},
		{"more than an hour later", func(*world, *predict.Simulation) { time.Sleep(time.Hour + time.Second) }, Options{}, letters.ErrStale},
		{"a letter was discarded", func(w *world, _ *predict.Simulation) {
			_, err := w.kept.Discard(w.Context(), letters.DiscardRequest{Filter: push.LetterFilter{IDs: []push.ID{w.All()[0].ID}}, Reason: "test"})
			w.Must(err)
		}, Options{}, letters.ErrStale},
		{"no such simulation", func(_ *world, s *predict.Simulation) { s.ID = "sim_none" }, Options{}, push.ErrNotFound},
		{"a canary of more than all", func(*world, *predict.Simulation) {}, Options{Canary: 1.5}, push.Faults{}},
		{"a share that is no number", func(*world, *predict.Simulation) {}, Options{StopIfRefail: math.NaN()}, push.Faults{}},
		{"a negative maximum", func(*world, *predict.Simulation) {}, Options{Max: -1}, push.Faults{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, t.Context)
				w.Die(w.Chunk(dead, dead))
				time.Sleep(time.Second)
				s, err := w.room.Simulate(t.Context(), predict.SimulateRequest{All: true})
				w.Must(err)
				c.then(w, &s)
				run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID, Options: c.o, By: "me"})
				if c.want != nil {
					letterstest.WantError(t, err, c.want)
					return
				}
				if err != nil || run.State != RunRunning || run.Total != 2 {
					t.Errorf("run: %+v (%v)", run, err)
				}
			})
		})
	}
}

func TestStartOfNothingToSend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		ref := w.Chunk(dead)
		w.Die(ref)
		line := w.Line(ref)
		line.Cells[0] = 1 // sent
		w.Ledger.PutLine(line)
		time.Sleep(time.Second)
		s, err := w.room.Simulate(t.Context(), predict.SimulateRequest{All: true})
		w.Must(err)
		_, err = w.room.Start(t.Context(), StartRequest{Simulation: s.ID})
		if !errors.Is(err, letters.ErrNothing) || !strings.Contains(err.Error(), "none of the 1 letters") {
			t.Errorf("error is %v", err)
		}
	})
}
