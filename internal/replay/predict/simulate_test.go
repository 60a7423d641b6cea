package predict

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestSimulate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		ref := w.Chunk(dead, dead, dead, dead, dead, dead, dead, dead)
		w.Die(ref)
		line := w.Line(ref)
		line.Cells[0] = 1 // sent
		line.MarkAmbiguous(1)
		line.Cells[1] |= 0x80 // may have arrived
		w.Ledger.PutLine(line)
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
		if s.Total != 8 || s.Sends != 7 || s.PossibleDuplicates != 1 || len(s.Samples[WouldSend]) != maxSamples ||
			len(s.Samples[AlreadyDelivered]) != 1 {
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
		for _, l := range w.All() {
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
		{"everything by mistake", SimulateRequest{}, letters.ErrUnbounded},
		{"only an order", SimulateRequest{Filter: push.LetterFilter{OldestFirst: true}}, letters.ErrUnbounded},
		{"a filter that takes nothing", SimulateRequest{Filter: push.LetterFilter{Tenant: "nobody"}}, letters.ErrNothing},
		{
			"letters that are not parked",
			SimulateRequest{Filter: push.LetterFilter{States: []push.LetterState{push.LetterReplayed}}},
			push.Faults{},
		},
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
			w.Die(w.Chunk(dead))
			_, err := w.room.Simulate(t.Context(), c.req)
			letterstest.WantError(t, err, c.want)
		})
	}
}
