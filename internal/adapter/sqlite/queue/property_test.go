package queue

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// model is what a queue should hold: the simplest thing that can be right.
type model struct {
	now     time.Time
	sent    int
	work    map[string]*modelMessage // by body, which is unique
	dead    map[string]bool
	holding []worker.Message // received and not deleted, lapsed ones too
}

type modelMessage struct {
	visible  time.Time
	receives int
}

const (
	modelVisibility = 10 * time.Second
	modelReceives   = 3
)

// Whatever is done to a queue, in any order and at any time: a message is
// received only while it is visible, its count is right, and none is ever lost.
func TestQueueAgainstModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := openWatch(t, dir)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{now: time.Unix(1_800_000_000, 0), work: map[string]*modelMessage{}, dead: map[string]bool{}}
		clock, began := func() time.Time { return m.now }, m.now
		elapsed := func() time.Duration { return m.now.Sub(began) }
		dead := openQueue(t, w, fmt.Sprintf("dead-%d", run), Config{Now: clock, Elapsed: elapsed})
		q := openQueue(t, w, fmt.Sprintf("work-%d", run), Config{
			Visibility: modelVisibility, MaxReceives: modelReceives, DeadLetterQueue: dead.Name(), Now: clock, Elapsed: elapsed,
		})
		rt.Repeat(map[string]func(*rapid.T){
			"send":    func(rt *rapid.T) { m.send(rt, q) },
			"receive": func(rt *rapid.T) { m.receive(rt, q) },
			"delete":  func(rt *rapid.T) { m.remove(rt, q) },
			"extend":  func(rt *rapid.T) { m.extend(rt, q) },
			"wait": func(rt *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 15_000).Draw(rt, "ms")) * time.Millisecond)
			},
			"depth": func(rt *rapid.T) { m.check(rt, q, dead) },
		})
	})
}

func (m *model) send(rt *rapid.T, q *Queue) {
	var batch []worker.Outgoing
	for range rapid.IntRange(1, worker.MaxBatch).Draw(rt, "messages") {
		m.sent++
		o := worker.Outgoing{
			Body:  fmt.Appendf(nil, "message %d", m.sent),
			Group: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "group"),
			Delay: time.Duration(rapid.SampledFrom([]int{0, 0, 0, 5}).Draw(rt, "delay")) * time.Second,
		}
		batch = append(batch, o)
		m.work[string(o.Body)] = &modelMessage{visible: m.now.Add(o.Delay)}
	}
	if err := q.Send(rt.Context(), batch); err != nil {
		rt.Fatal(err)
	}
}

func (m *model) receive(rt *rapid.T, q *Queue) {
	limit := rapid.IntRange(1, worker.MaxBatch).Draw(rt, "limit")
	got, err := q.Receive(rt.Context(), limit, 0)
	if err != nil {
		rt.Fatal(err)
	}
	for _, msg := range got {
		want, ok := m.work[string(msg.Body)]
		if !ok || want.visible.After(m.now) || want.receives >= modelReceives {
			rt.Fatalf("received %q, which should be %+v", msg.Body, want)
		}
		want.receives++
		want.visible = m.now.Add(modelVisibility)
		if msg.Receives != want.receives {
			rt.Fatalf("%q: Receives = %d, want %d", msg.Body, msg.Receives, want.receives)
		}
		m.holding = append(m.holding, msg)
	}
	if len(got) == limit {
		return
	}
	// Short of the limit: nothing receivable may be left, and what was received
	// too often has been moved.
	for body, msg := range m.work {
		switch {
		case msg.visible.After(m.now):
		case msg.receives >= modelReceives:
			delete(m.work, body)
			m.dead[body] = true
		default:
			rt.Fatalf("%q is visible, but only %d of %d messages were received", body, len(got), limit)
		}
	}
}

// draw picks some of what is held, with its receipts valid and stale.
func (m *model) draw(rt *rapid.T) []worker.Message {
	if len(m.holding) == 0 {
		rt.Skip("nothing held")
	}
	i := rapid.IntRange(0, len(m.holding)-1).Draw(rt, "from")
	return slices.Clone(m.holding[i:min(len(m.holding), i+worker.MaxBatch)])
}

// valid reports whether the receipt is of the message's last receive. A message
// that is due to be moved may have been moved or not.
func (m *model) valid(msg worker.Message) bool {
	now, ok := m.work[string(msg.Body)]
	return ok && now.receives == msg.Receives
}

func (m *model) remove(rt *rapid.T, q *Queue) {
	m.settleMoves(rt, q)
	batch := m.draw(rt)
	if err := q.Delete(rt.Context(), batch); err != nil {
		rt.Fatal(err)
	}
	for _, msg := range batch {
		if m.valid(msg) {
			delete(m.work, string(msg.Body))
		}
	}
}

func (m *model) extend(rt *rapid.T, q *Queue) {
	m.settleMoves(rt, q)
	batch := m.draw(rt)
	visibility := time.Duration(rapid.SampledFrom([]int{0, 3, 30}).Draw(rt, "visibility")) * time.Second
	err := q.Extend(rt.Context(), batch, visibility)
	failed := map[int]error{}
	if partial, ok := errors.AsType[*worker.BatchError](err); ok {
		failed = partial.Failed
	} else if err != nil {
		rt.Fatal(err)
	}
	for i, msg := range batch {
		if m.valid(msg) {
			m.work[string(msg.Body)].visible = m.now.Add(visibility)
		}
		if errors.Is(failed[i], push.ErrNotFound) == m.valid(msg) {
			rt.Fatalf("extend %q with receipt of receive %d: %v, want valid = %v", msg.Body, msg.Receives, failed[i], m.valid(msg))
		}
	}
}

// settleMoves receives all that is visible, so that the model knows what has
// been moved to the dead-letter queue.
func (m *model) settleMoves(rt *rapid.T, q *Queue) {
	for {
		before := len(m.holding)
		m.receive(rt, q)
		if len(m.holding) == before {
			return
		}
	}
}

// check compares the counts.
func (m *model) check(rt *rapid.T, q, dead *Queue) {
	got, err := q.Depth(rt.Context())
	if err != nil {
		rt.Fatal(err)
	}
	gotDead, err := dead.Depth(rt.Context())
	if err != nil {
		rt.Fatal(err)
	}
	var want worker.Depth
	spent := int64(0) // visible here, or moved already
	for _, body := range slices.SortedFunc(maps.Keys(m.work), cmp.Compare[string]) {
		switch msg := m.work[body]; {
		case !msg.visible.After(m.now) && msg.receives >= modelReceives:
			spent++
		case !msg.visible.After(m.now):
			want.Visible++
		case msg.receives > 0:
			want.InFlight++
		default:
			want.Delayed++
		}
	}
	moved := gotDead.Visible - int64(len(m.dead))
	if moved < 0 || moved > spent || got.Visible != want.Visible+spent-moved || got.InFlight != want.InFlight || got.Delayed != want.Delayed {
		rt.Fatalf("depth %+v, dead letters %+v; want %+v with %d spent and %d dead letters", got, gotDead, want, spent, len(m.dead))
	}
}
