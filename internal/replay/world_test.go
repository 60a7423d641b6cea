package replay

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/replaytest"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fataler is what a test and a rapid check have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is the room and everything around it. The room may die and be built
// anew; the rest lives on.
type world struct {
	t       fataler
	ctx     func() context.Context
	faults  *faults
	letters *replaytest.Memory
	books   *books
	papers  *papers
	lane    *box // the replay lane
	sources map[string]*box
	dead    map[string]*box
	cfg     Config
	room    *Room

	accepted map[place]int // how often FCM took a message for the recipient
}

type place struct {
	ref  push.ChunkRef
	cell int
}

func newWorld(t fataler, ctx func() context.Context) *world {
	t.Helper()
	f := &faults{}
	w := &world{
		t: t, ctx: ctx, faults: f, letters: &replaytest.Memory{}, books: newBooks(f), papers: &papers{faults: f, docs: map[string]document.Document{}},
		sources: map[string]*box{}, dead: map[string]*box{}, accepted: map[place]int{},
	}
	w.cfg = Config{
		Letters: mortal{w.letters, f}, Notifications: w.books, Lines: w.books, Documents: w.papers, App: "project", Software: "v2", Owner: "p",
		Dead: map[string]worker.Queue{}, Sources: map[string]worker.Sink{}, Loops: 1, Concurrency: 1, CostPerSend: 0.000002,
		Log: zap.NewNop(), Metrics: NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	}
	for _, q := range push.Queues() {
		w.sources[q], w.dead[q] = &box{faults: f}, &box{faults: f}
		w.cfg.Sources[q], w.cfg.Dead[q] = w.sources[q], dlq{w.dead[q]}
	}
	w.lane = w.sources[push.QueueReplay]
	w.reboot()
	return w
}

// reboot starts the room's process again.
func (w *world) reboot() {
	w.t.Helper()
	w.faults.disarm()
	room, err := New(w.cfg)
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	w.room = room
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("error: %v", err)
	}
}

// chunk makes a notification of one chunk whose recipients stand as told; its
// line is closed.
func (w *world) chunk(codes ...push.Code) push.ChunkRef {
	w.t.Helper()
	ref := push.ChunkRef{Notification: push.NewID(push.PrefixNotification)}
	now := time.Now().UTC()
	w.books.heads[ref.Notification] = push.Notification{
		ID: ref.Notification, Tenant: "acme", Message: push.Message(`{"notification":{"title":"Hi"}}`), Guarantee: push.AtLeastOnce,
		AcceptedAt: now, TTL: push.MaxTTL, Progress: push.Progress{State: push.StateCompleted, Pages: 1},
	}
	line := ledger.Line{Ref: ref, Tenant: "acme", Sources: len(codes), Last: true, Epoch: 3, Turn: 2, State: ledger.StateClosed, UpdatedAt: now}
	for _, c := range codes {
		line.Cells = append(line.Cells, ledger.CellOf(c, false))
	}
	w.books.lines[ref] = line
	return ref
}

func recipient(ref push.ChunkRef, cell int) push.Recipient {
	return push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("%s-%d", ref, cell))}, Line: int64(cell + 1)}
}

// bury puts the dead letter of some recipients on a queue's dead-letter queue,
// as deliver does.
func (w *world) bury(c *push.Chunk, queue string) {
	w.t.Helper()
	u := wire.Undelivered{Chunk: *c}
	for range c.Recipients {
		u.Codes, u.Detail = append(u.Codes, push.CodeFCMUnavailable), append(u.Detail, "The service is overloaded (4711).")
	}
	body, err := wire.EncodeUndelivered(&u, "")
	w.must(err)
	letter, err := wire.EncodeDeadLetter(&push.DeadLetter{
		Queue: queue, Code: push.CodeAttemptsExhausted, Body: body, Group: c.Tenant, SentAt: time.Now(), At: time.Now(), Software: "v1",
	})
	w.must(err)
	w.dead[queue].put(worker.Outgoing{Body: letter, Group: c.Tenant})
}

// die makes the letters of a chunk's dead recipients and drains them.
func (w *world) die(ref push.ChunkRef) {
	w.t.Helper()
	line := w.books.lines[ref]
	c := push.Chunk{Ref: ref, Tenant: line.Tenant, Attempt: 5, Turn: line.Turn}
	for i, cell := range line.Cells {
		if cell.Code().Class() == push.ClassDeadLettered {
			c.Recipients, c.Index = append(c.Recipients, recipient(ref, i)), append(c.Index, i)
		}
	}
	if len(c.Index) > 0 {
		w.bury(&c, push.QueueBulk)
	}
	w.drain()
}

func (w *world) drain() {
	w.t.Helper()
	for name, b := range w.dead {
		for b.size() > 0 {
			msgs, err := dlq{b}.Receive(w.ctx(), worker.MaxBatch, 0)
			w.must(err)
			w.must((&drainer{Room: w.room}).keep(w.ctx(), name, dlq{b}, msgs))
		}
	}
}

// deliver handles one message of the replay lane as deliver would: outcome says
// what becomes of a recipient, CodeOpen that it goes back to the queue.
func (w *world) deliver(body []byte, outcome func(place) push.Code) {
	w.t.Helper()
	c, _, err := wire.DecodeChunk(body)
	w.must(err)
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	line, err := w.books.lines[c.Ref].Claim("deliver", c.Turn, time.Now())
	if errors.Is(err, ledger.ErrClosed) || errors.Is(err, ledger.ErrStale) {
		return
	}
	w.must(err)
	again, dead := c, c
	again.Recipients, again.Index, dead.Recipients, dead.Index = nil, nil, nil, nil
	again.Turn++
	for i, cell := range c.Index {
		if !line.Cells[cell].Open() {
			continue
		}
		code := outcome(place{c.Ref, cell})
		switch {
		case code == push.CodeOpen:
			again.Recipients, again.Index = append(again.Recipients, c.Recipients[i]), append(again.Index, cell)
			continue
		case code == push.CodeSent:
			w.accepted[place{c.Ref, cell}]++
		case code.Class() == push.ClassDeadLettered:
			dead.Recipients, dead.Index = append(dead.Recipients, c.Recipients[i]), append(dead.Index, cell)
		}
		line.Settle(cell, code, false)
	}
	if len(dead.Index) > 0 {
		w.bury(&dead, push.QueueReplay)
	}
	if open := line.OpenCount(); open == 0 {
		line = line.Close(time.Now())
	} else if open == len(again.Index) {
		line = line.HandBack(ledger.StateWaiting, again.Turn, time.Now())
		b, err := wire.EncodeChunk(&again, "")
		w.must(err)
		w.lane.mu.Lock()
		w.lane.put(worker.Outgoing{Body: b})
		w.lane.mu.Unlock()
	} else {
		w.t.Fatalf("%s has %d open recipients, its message brought %d of them", c.Ref, open, len(again.Index))
	}
	w.books.lines[c.Ref] = line
}

// all lists every letter.
func (w *world) all() []push.Letter {
	w.t.Helper()
	ls, _, err := w.letters.Letters(w.ctx(), push.LetterFilter{OldestFirst: true}, "", 1_000_000)
	w.must(err)
	return ls
}
