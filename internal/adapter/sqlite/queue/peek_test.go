package queue

import (
	"slices"
	"testing"

	"github.com/belfry-push/belfry/internal/worker"
)

// TestPeek: every message of the queue is seen, whoever has it, and stays as it was.
func TestPeek(t *testing.T) {
	t.Parallel()
	w := openWatch(t, t.TempDir())
	q, other := openQueue(t, w, "dead", Config{}), openQueue(t, w, "work", Config{})
	send := func(q *Queue, bodies ...string) {
		t.Helper()
		var out []worker.Outgoing
		for _, b := range bodies {
			out = append(out, worker.Outgoing{Body: []byte(b), Group: b})
		}
		if err := q.Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	send(q, "a")
	if msgs, err := q.Receive(t.Context(), 1, 0); err != nil || len(msgs) != 1 {
		t.Fatalf("received %d, %v", len(msgs), err)
	}
	send(q, "b", "c")
	send(other, "x")
	for limit, want := range map[int][]string{10: {"a", "b", "c"}, 2: {"b", "c"}} {
		var seen []string
		n, err := q.Peek(t.Context(), limit, func(body []byte) { seen = append(seen, string(body)) })
		slices.Sort(seen)
		if err != nil || n != len(want) || !slices.Equal(seen, want) {
			t.Errorf("saw %v, want %v (%v)", seen, want, err)
		}
	}
	if msgs, err := q.Receive(t.Context(), 10, 0); err != nil || len(msgs) != 2 {
		t.Errorf("then received %d, %v", len(msgs), err)
	}
}
