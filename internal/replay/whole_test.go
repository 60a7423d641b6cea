package replay

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
)

// envelope is a dead letter as a queue has it.
func envelope(t *testing.T, d push.DeadLetter) []byte {
	t.Helper()
	b, err := wire.EncodeDeadLetter(&d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What becomes of a whole message is not watched, and said not to be.
func TestWholeMessagesAreNotWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		ref := w.Chunk(dead)
		w.Die(ref)
		for i := range 3 {
			w.Put(push.QueueEvents,
				envelope(t,
					push.DeadLetter{
						Queue: push.QueueEvents, ID: strconv.Itoa(i), Code: push.CodePayloadInvalid, Body: []byte("{}"), SentAt: time.Now(), At: time.Now(),
					}))
		}
		w.Drain()
		time.Sleep(time.Second)
		s, err := w.room.Simulate(t.Context(), predict.SimulateRequest{All: true})
		if err != nil || s.Sends != 4 || s.Unwatched != 3 {
			t.Fatalf("%+v (%v)", s, err)
		}
		run, err := w.room.Start(t.Context(), StartRequest{Simulation: s.ID})
		w.Must(err)
		w.running(func(place) push.Code { return push.CodeSent }, func() {
			got, err := w.room.Run(t.Context(), run.ID)
			if err != nil || got.Sent != 4 || got.Unwatched != 3 || got.Known != 1 || got.Refailed != 0 {
				t.Errorf("%+v (%v)", got, err)
			}
		})
	})
}
