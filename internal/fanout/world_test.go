package fanout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// world is a room with queues that delay, and a deliver that sends everything
// the moment that it becomes visible.
type world struct {
	*rig

	tb      fataler
	tasks   []timed[wire.Task] // hides the sink
	chunks  []timed[push.Chunk]
	outage  bool // deliver takes nothing
	sent    []burst
	reached map[push.Address]int
	repeats bool // every task comes twice
	crash   func()
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

type timed[T any] struct {
	at   time.Time
	what T
}

// burst is so many recipients sent to at one moment.
type burst struct {
	at time.Time
	n  int
}

func newWorld(tb testing.TB, f fataler) *world {
	tb.Helper()
	w := &world{rig: setup(tb), tb: f, reached: map[push.Address]int{}}
	w.crash = func() { w.restart(tb) }
	return w
}

// collect takes what the room has sent.
func (w *world) collect() {
	for _, m := range w.rig.tasks.TakeAll() {
		task, err := wire.DecodeTask(m.Body)
		if err != nil {
			w.tb.Fatalf("task: %v", err)
		}
		w.tasks = append(w.tasks, timed[wire.Task]{w.now.Add(m.Delay), task})
	}
	for _, q := range []*workertest.Memory{w.high, w.bulk} {
		sent := q.All()
		for i, c := range chunks(q) {
			if d := sent[i].Delay; d < 0 || d%time.Second != 0 || d > 30*time.Second {
				w.tb.Fatalf("chunk %s is delayed by %v", c.Ref, d)
			}
			w.chunks = append(w.chunks, timed[push.Chunk]{w.now.Add(sent[i].Delay), c})
		}
		q.TakeAll()
	}
}

// until lets time pass: tasks and chunks are handled when they are visible.
func (w *world) until(end time.Time) {
	w.tb.Helper()
	for steps := 0; ; steps++ {
		if steps > 200_000 {
			w.tb.Fatalf("it goes round in circles at %v", w.now.Sub(t0))
		}
		w.collect()
		task, chunk := earliest(w.tasks, end), earliest(w.chunks, end)
		if w.outage {
			chunk = -1
		}
		switch {
		case chunk >= 0 && (task < 0 || !w.tasks[task].at.Before(w.chunks[chunk].at)):
			w.send(take(&w.chunks, chunk, &w.now))
		case task >= 0:
			w.work(take(&w.tasks, task, &w.now))
		default:
			w.now = end
			return
		}
	}
}

func earliest[T any](list []timed[T], end time.Time) int {
	best := -1
	for i := range list {
		if !list[i].at.After(end) && (best < 0 || list[i].at.Before(list[best].at)) {
			best = i
		}
	}
	return best
}

func take[T any](list *[]timed[T], i int, now *time.Time) T {
	x := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	if x.at.After(*now) {
		*now = x.at
	}
	return x.what
}

func (w *world) work(t wire.Task) {
	times := 1
	if w.repeats {
		times = 2
	}
	for range times {
		v := w.handle(t)
		switch v.word {
		case "ack":
		case "retry":
			if v.body == "" {
				w.crash()
			} else {
				next, err := wire.DecodeTask([]byte(v.body))
				if err != nil {
					w.tb.Fatalf("next task: %v", err)
				}
				t = next
			}
			wait := (v.after + time.Second - 1).Truncate(time.Second)
			w.tasks = append(w.tasks, timed[wire.Task]{w.now.Add(wait), t})
			if w.repeats {
				return // or they would double with every step
			}
		default:
			w.tb.Fatalf("%+v: %+v", t, v)
		}
	}
}

// send delivers a chunk's recipients, or parks it, as deliver would.
func (w *world) send(c push.Chunk) {
	l, err := w.line(c.Ref).Claim("d", c.Turn, w.now.Add(time.Hour))
	if err != nil {
		return // closed or stale
	}
	n := w.head(c.Ref.Notification)
	if n.Progress.State == push.StatePaused {
		w.ledger.PutLine(l.HandBack(ledger.StateParked, l.Turn, w.now))
		return
	}
	code := push.CodeSent
	if !w.now.Before(n.Deadline()) {
		code = push.CodeExpired
	}
	count := 0
	for row, cell := range c.Index {
		if l.Settle(cell, code, false) && code == push.CodeSent {
			w.reached[c.Recipients[row].Address]++
			count++
		}
	}
	if l.OpenCount() > 0 {
		w.tb.Fatalf("chunk %s was sent without %d open recipients", c.Ref, l.OpenCount())
	}
	w.ledger.PutLine(l.Close(w.now))
	w.sent = append(w.sent, burst{w.now, count})
}

// upload adds pages to the batch, as an upload announces them.
func (w *world) upload(tb testing.TB, id push.ID, pages ...[]push.Recipient) {
	tb.Helper()
	n := w.head(id)
	for _, rs := range pages {
		body, err := wire.EncodeRecipients(rs)
		if err != nil {
			tb.Fatal(err)
		}
		w.pages.SetPage(id, push.PageUpload, n.Progress.Pages, body)
		n.Progress.Pages++
		n.Progress.Sources += int64(len(rs))
	}
	n.Progress.Version++
	w.ledger.PutNotification(n)
}

// change writes a progress.
func (w *world) change(id push.ID, f func(p *push.Progress)) {
	n := w.head(id)
	f(&n.Progress)
	n.Progress.Version++
	w.ledger.PutNotification(n)
}

func (w *world) start(id push.ID) {
	w.tasks = append(w.tasks, timed[wire.Task]{w.now, wire.Task{Op: wire.OpPlan, Notification: id, Page: wire.AllPages}})
}

func (w *world) pause(id push.ID) {
	w.change(id, func(p *push.Progress) { p.State = push.StatePaused })
}

func (w *world) resume(id push.ID) {
	w.change(id, func(p *push.Progress) { p.State = push.StateAccepted; p.Generation++ })
	w.start(id)
}

func (w *world) state(id push.ID) push.State { return w.head(id).Progress.State }

// most returns the most recipients sent to in any span of so long.
func (w *world) most(span time.Duration) int {
	most := 0
	for i := range w.sent {
		n := 0
		for _, b := range w.sent[i:] {
			if b.at.Sub(w.sent[i].at) < span {
				n += b.n
			}
		}
		most = max(most, n)
	}
	return most
}
