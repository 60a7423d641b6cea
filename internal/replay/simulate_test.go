package replay

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

func TestSimulate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		ref := w.chunk(dead, dead, dead, dead, dead, dead, dead, dead)
		w.die(ref)
		line := w.books.lines[ref]
		line.Cells[0] = 1 // sent
		line.MarkAmbiguous(1)
		line.Cells[1] |= 0x80 // may have arrived
		w.books.lines[ref] = line
		time.Sleep(time.Second)
		var progress []int64
		s, err := w.room.Simulate(t.Context(), SimulateRequest{
			Filter: push.LetterFilter{Tenant: "acme"}, Rate: 2, By: "me", Progress: func(n int64) { progress = append(progress, n) },
			Edits: Edits{Patch: []byte(`[{"op":"replace","path":"/notification/title","value":"Late"}]`)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[Prediction]int64{WouldSend: 7, AlreadyDelivered: 1}, s.Counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		if s.Total != 8 || s.Sends != 7 || s.PossibleDuplicates != 1 || len(s.Samples[WouldSend]) != maxSamples || len(s.Samples[AlreadyDelivered]) != 1 {
			t.Errorf("simulation: %+v", s)
		}
		if s.Time != 3500*time.Millisecond || math.Abs(s.Cost-7*0.000002) > 1e-12 {
			t.Errorf("estimates: %v and %v", s.Time, s.Cost)
		}
		if string(s.Before) != `{"notification":{"title":"Hi"}}` || string(s.After) != `{"notification":{"title":"Late"}}` {
			t.Errorf("before %s, after %s", s.Before, s.After)
		}
		if len(progress) == 0 || progress[len(progress)-1] != 8 {
			t.Errorf("progress: %v", progress)
		}
		again, err := w.room.Simulated(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Errorf("as kept (-made +kept):\n%s", diff)
		}
		for _, l := range w.all() {
			if l.Version != 1 {
				t.Errorf("the simulation moved %s", l.ID)
			}
		}
	})
}

func TestSimulateRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		req  SimulateRequest
		want error
	}{
		{"everything by mistake", SimulateRequest{}, ErrUnbounded},
		{"only an order", SimulateRequest{Filter: push.LetterFilter{OldestFirst: true}}, ErrUnbounded},
		{"a filter that takes nothing", SimulateRequest{Filter: push.LetterFilter{Tenant: "nobody"}}, ErrNothing},
		{"letters that are not parked", SimulateRequest{Filter: push.LetterFilter{States: []push.LetterState{push.LetterReplayed}}}, push.Faults{}},
		{"a priority that is none", SimulateRequest{All: true, Edits: Edits{Priority: "urgent"}}, push.Faults{}},
		{"a patch that is none", SimulateRequest{All: true, Edits: Edits{Patch: []byte(`{}`)}}, push.Faults{}},
		{"a deadline too far", SimulateRequest{All: true, Edits: Edits{ExpireAfter: push.MaxTTL + 1}}, push.Faults{}},
		{"a negative rate", SimulateRequest{All: true, Rate: -1}, push.Faults{}},
		{"a rate that is no number", SimulateRequest{All: true, Rate: math.NaN()}, push.Faults{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			w.die(w.chunk(dead))
			_, err := w.room.Simulate(t.Context(), c.req)
			wantError(t, err, c.want)
		})
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		then func(w *world, s *Simulation)
		o    Options
		want error
	}{
		{"as simulated", func(*world, *Simulation) {}, Options{}, nil},
		{"new letters don't matter", func(w *world, _ *Simulation) { w.die(w.chunk(dead)) }, Options{}, nil},
		{"an hour later", func(*world, *Simulation) { time.Sleep(time.Hour) }, Options{}, nil},
		{"more than an hour later", func(*world, *Simulation) { time.Sleep(time.Hour + time.Second) }, Options{}, ErrStale},
		{"a letter was discarded", func(w *world, _ *Simulation) {
			_, err := w.room.Discard(w.ctx(), DiscardRequest{Filter: push.LetterFilter{IDs: []push.ID{w.all()[0].ID}}, Reason: "test"})
			w.must(err)
		}, Options{}, ErrStale},
		{"no such simulation", func(_ *world, s *Simulation) { s.ID = "sim_none" }, Options{}, push.ErrNotFound},
		{"a canary of more than all", func(*world, *Simulation) {}, Options{Canary: 1.5}, push.Faults{}},
		{"a share that is no number", func(*world, *Simulation) {}, Options{StopIfRefail: math.NaN()}, push.Faults{}},
		{"a negative maximum", func(*world, *Simulation) {}, Options{Max: -1}, push.Faults{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, t.Context)
				w.die(w.chunk(dead, dead))
				time.Sleep(time.Second)
				s, err := w.room.Simulate(t.Context(), SimulateRequest{All: true})
				w.must(err)
				c.then(w, &s)
				run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID, Options: c.o, By: "me"})
				if c.want != nil {
					wantError(t, err, c.want)
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
		ref := w.chunk(dead)
		w.die(ref)
		line := w.books.lines[ref]
		line.Cells[0] = 1 // sent
		w.books.lines[ref] = line
		time.Sleep(time.Second)
		s, err := w.room.Simulate(t.Context(), SimulateRequest{All: true})
		w.must(err)
		_, err = w.room.Start(t.Context(), StartRequest{Simulation: s.ID})
		if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "none of the 1 letters") {
			t.Errorf("error is %v", err)
		}
	})
}
