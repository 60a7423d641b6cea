package worker_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Whatever is ours is moved from any dead-letter queue to any queue, ten times in
// a row: each time it is handled once, or put where it belongs byte for byte.
// Nothing is lost, nothing is wrapped.
func TestEveryMessageOnEveryQueue(t *testing.T) {
	t.Parallel()
	chunk := must(wire.EncodeChunk(aChunk(), ""))
	plain := map[string][]byte{"a chunk": chunk, "a task": aTask(), "an event": []byte(eventual), "an event by SNS": bySNS([]byte(eventual))}
	all := map[string][]byte{}
	for name, body := range plain {
		all[name] = body
		for _, from := range push.Queues() {
			all[name+" that died on "+from] = died(from, push.CodeUnexpandable, body)
		}
	}
	for _, from := range push.Queues() {
		all["recipients of "+from] = givenUp(from)
	}
	for name, body := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, queue := range push.Queues() {
				for time := range 10 {
					handled, put, err := move(t, queue, body)
					if err != nil || handled+put != 1 {
						t.Fatalf("on %s, for the %d. time: handled %d times, put %d times: %v", queue, time+1, handled, put, err)
					}
				}
			}
		})
	}
}

// sameLetter reports whether two dead letters are one that died again: of the same
// message, as deep inside.
func sameLetter(a, b []byte) bool {
	x, err := wire.DecodeDeadLetter(a)
	if err != nil {
		return false
	}
	y, err := wire.DecodeDeadLetter(b)
	return err == nil && bytes.Equal(x.Body, y.Body) && x.ID == y.ID && x.Queue == y.Queue && x.SentAt.Equal(y.SentAt)
}

// move gives a message to the worker of a queue, and counts what became of it.
func move(t *testing.T, queue string, body []byte) (handled, put int, err error) {
	t.Helper()
	done, dead, passed, last, got := moving(t, queue, body, worker.Ack(), true)
	if len(done) != 1 || done[0] != "delete:new;" {
		return 0, 0, fmt.Errorf("its queue saw %v", done)
	}
	if len(dead) > 0 && !bytes.Equal(last, body) && !sameLetter(last, body) {
		return 0, 0, fmt.Errorf("on the dead-letter queue it is %s", last)
	}
	for on, sent := range passed {
		if !bytes.Equal(sent, body) {
			return 0, 0, fmt.Errorf("on %s it is %s", on, sent)
		}
	}
	return len(got), len(dead) + len(passed), nil
}
