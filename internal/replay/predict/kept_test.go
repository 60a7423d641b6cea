package predict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// A simulation takes apart what older versions wrapped: else it would count one
// undecodable message where twenty recipients are.
func TestSimulateMends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(slices.Repeat([]push.Code{dead}, 20)...)
	w.BuryDead(ref)
	l := push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterMessage, Tenant: "acme", App: "project", Queue: push.QueueBulk,
		Code: push.CodeUndecodable,
		Cell: -1, Body: w.Dead[push.QueueBulk].Take(0).Body, State: push.LetterParked, Version: 1, AcceptedAt: time.Now(), DeadAt: time.Now(),
		StoredAt: time.Now().Add(-time.Second), // before what is simulated
	}
	_, err := w.Letters.PutLetters(t.Context(), []push.Letter{l})
	w.Must(err)
	s, err := w.room.Simulate(t.Context(), SimulateRequest{All: true})
	if err != nil || s.Total != 20 || s.Sends != 20 {
		t.Errorf("%+v (%v), want 20 letters that would be sent", s, err)
	}
}

// A message that was moved to another queue goes to its own.
func TestSimulateMisplacedMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(push.CodeOpen)
	task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: ref.Notification, Page: wire.AllPages})
	w.Must(err)
	w.Put(push.QueueHigh, task)
	w.Drain()
	s, err := w.room.Simulate(t.Context(), SimulateRequest{All: true})
	if err != nil || s.Counts[Settled] != 1 { // the test's notification is completed
		t.Errorf("%v (%v)", s.Counts, err)
	}
}

// Of what was cut there is the evidence, and no replay.
func TestSimulateCutMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	w.Put(push.QueueEvents, w.Envelope(push.DeadLetter{
		Queue: push.QueueEvents, ID: "1", Code: push.CodeUndecodable, Detail: "not JSON", Body: []byte("the beginning"), Bytes: 1 << 20,
		Sum: strings.Repeat("ab", 32), SentAt: time.Now(), At: time.Now(),
	}))
	w.Drain()
	s, err := w.room.Simulate(t.Context(), SimulateRequest{All: true})
	if err != nil || s.Counts[Unsendable] != 1 || !strings.Contains(s.Samples[Unsendable][0].Why, "has to send it again") {
		t.Errorf("%v %v (%v)", s.Counts, s.Samples, err)
	}
}

// What SNS could not deliver is sent as it is; what its consumers could not handle
// would fail again.
func TestSimulateUndelivered(t *testing.T) {
	t.Parallel()
	for receives, want := range map[int]Prediction{1: WouldSend, push.MaxReceives + 1: WouldFailAgain} {
		w := newWorld(t, t.Context)
		w.Dead[push.QueueEvents].PutMessage(worker.Message{
			Body:     []byte(`{"specversion":"1.0","id":"1","source":"urn:shop","type":"push.notification.requested.v1","data":{}}`),
			Receives: receives - 1,
		})
		w.Drain()
		s, err := w.room.Simulate(t.Context(), SimulateRequest{All: true})
		if err != nil || s.Counts[want] != 1 {
			t.Errorf("received %d times: %v (%v), want %s", receives, s.Counts, err, want)
		}
	}
}
