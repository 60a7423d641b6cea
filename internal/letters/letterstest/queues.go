package letterstest

import (
	"errors"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// SourcePorts are the source queues as a process that may die sees them.
func (w *World) SourcePorts() map[string]worker.Sink {
	ports := map[string]worker.Sink{}
	for name, q := range w.Sources {
		ports[name] = workertest.Around{Queue: q, Do: w.Calls.Do}
	}
	return ports
}

// DeadPorts are the dead-letter queues as a process that may die sees them. Their
// polls do not wait, so that a drain takes no time outside of a bubble.
func (w *World) DeadPorts() map[string]worker.Queue {
	ports := map[string]worker.Queue{}
	for name, q := range w.Dead {
		ports[name] = workertest.Around{Queue: workertest.Impatient{Queue: q}, Do: w.Calls.Do}
	}
	return ports
}

// Reboot starts the process again, later: what the one that died had received is
// visible once more.
func (w *World) Reboot() {
	w.Calls.Mend()
	for _, q := range w.Dead {
		q.Surface()
	}
}

// Put lays messages on the dead-letter queue of a source queue.
func (w *World) Put(queue string, bodies ...[]byte) {
	for _, b := range bodies {
		w.Dead[queue].Put(worker.Outgoing{Body: b, Group: "acme"})
	}
}

// Envelope is a dead letter as a queue has it.
func (w *World) Envelope(d push.DeadLetter) []byte {
	w.T.Helper()
	b, err := wire.EncodeDeadLetter(&d)
	w.Must(err)
	return b
}

// Drain drains the dead-letter queues into the store, with the room of the test.
func (w *World) Drain() {
	w.T.Helper()
	w.Must(w.Drains(w.Context()))
}

// Die makes the letters of a chunk's dead recipients and drains them.
func (w *World) Die(ref push.ChunkRef) {
	w.T.Helper()
	w.BuryDead(ref)
	w.Drain()
}

// WantError holds an error against a sentinel, or against any [push.Faults].
func WantError(t *testing.T, got, want error) {
	t.Helper()
	if _, faults := errors.AsType[push.Faults](want); faults {
		if _, ok := errors.AsType[push.Faults](got); !ok {
			t.Errorf("error is %v, want faults", got)
		}
		return
	}
	if !errors.Is(got, want) {
		t.Errorf("error is %v, want %v", got, want)
	}
}
