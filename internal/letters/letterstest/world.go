package letterstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// Fataler is what a test and a rapid check have in common.
type Fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// World is everything around the rooms of dead letters, in memory. A room may die
// at any call of a port ([World.Calls]) and be built anew; the world lives on.
type World struct {
	T       Fataler
	Context func() context.Context

	// Drains is the room's way to drain the dead-letter queues; see [World.Drain].
	Drains func(ctx context.Context) error

	Calls     workertest.Calls // of the ports that Letters, Ledger, Documents and the queues are
	Letters   *Memory
	Ledger    *ledgertest.Memory
	Documents *documenttest.Memory
	Sources   map[string]*workertest.Memory // source queues by name
	Dead      map[string]*workertest.Memory // their dead-letter queues

	mu       sync.Mutex
	accepted map[Place]int
}

// Place is one recipient.
type Place struct {
	Ref  push.ChunkRef
	Cell int
}

// NewWorld returns a world without letters.
func NewWorld(t Fataler, ctx func() context.Context) *World {
	w := &World{
		T: t, Context: ctx, Letters: &Memory{}, Ledger: &ledgertest.Memory{}, Documents: &documenttest.Memory{},
		Sources: map[string]*workertest.Memory{}, Dead: map[string]*workertest.Memory{}, accepted: map[Place]int{},
	}
	for _, q := range push.Queues() {
		w.Sources[q], w.Dead[q] = &workertest.Memory{}, &workertest.Memory{}
	}
	return w
}

// LettersPort is the dead-letter store as a process that may die sees it.
func (w *World) LettersPort() Around { return Around{w.Letters, w.Calls.Do} }

// LedgerPort is the ledger as a process that may die sees it.
func (w *World) LedgerPort() ledgertest.Around {
	return ledgertest.Around{Store: w.Ledger, Do: w.Calls.Do}
}

// DocumentsPort are the documents as a process that may die sees them.
func (w *World) DocumentsPort() documenttest.Around {
	return documenttest.Around{Store: w.Documents, Do: w.Calls.Do}
}

// Must fails the test for an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatalf("error: %v", err)
	}
}

// Head returns a notification.
func (w *World) Head(id push.ID) push.Notification {
	w.T.Helper()
	n, err := w.Ledger.Notification(context.Background(), id)
	w.Must(err)
	return n
}

// Line returns a chunk's line.
func (w *World) Line(ref push.ChunkRef) ledger.Line {
	w.T.Helper()
	l, err := w.Ledger.Line(context.Background(), ref)
	w.Must(err)
	return l
}

// Chunk makes a notification of one chunk whose recipients stand as told; its
// line is closed.
func (w *World) Chunk(codes ...push.Code) push.ChunkRef {
	w.T.Helper()
	ref := push.ChunkRef{Notification: push.NewID(push.PrefixNotification)}
	now := time.Now().UTC()
	w.Ledger.PutNotification(push.Notification{
		ID: ref.Notification, Tenant: "acme", Message: push.Message(`{"notification":{"title":"Hi"}}`), Guarantee: push.AtLeastOnce,
		AcceptedAt: now, TTL: push.MaxTTL, Progress: push.Progress{State: push.StateCompleted, Pages: 1},
	})
	line := ledger.Line{
		Ref: ref, Tenant: "acme", Sources: len(codes), Last: true, Epoch: 3, Turn: 2, State: ledger.StateClosed, UpdatedAt: now,
	}
	for _, c := range codes {
		line.Cells = append(line.Cells, ledger.CellOf(c, false))
	}
	w.Ledger.PutLine(line)
	return ref
}

// Recipient returns the recipient of a cell.
func Recipient(ref push.ChunkRef, cell int) push.Recipient {
	return push.Recipient{
		Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("%s-%d", ref, cell))}, Line: int64(cell + 1),
	}
}

// AddDeadLetter puts the dead letter of some recipients on a queue's dead-letter queue, as
// deliver does.
func (w *World) AddDeadLetter(c *push.Chunk, queue string) {
	w.T.Helper()
	u := wire.Undelivered{Chunk: *c}
	for range c.Recipients {
		u.Codes, u.Detail = append(u.Codes, push.CodeFCMUnavailable), append(u.Detail, "The service is overloaded (4711).")
	}
	body, err := wire.EncodeUndelivered(&u, "")
	w.Must(err)
	letter, err := wire.EncodeDeadLetter(&push.DeadLetter{
		Queue: queue, Code: push.CodeAttemptsExhausted, Body: body, Group: c.Tenant, SentAt: time.Now(), At: time.Now(), Software: "v1",
	})
	w.Must(err)
	w.Dead[queue].Put(worker.Outgoing{Body: letter, Group: c.Tenant})
}

// BuryDead makes the dead letters of a chunk's dead recipients.
func (w *World) BuryDead(ref push.ChunkRef) {
	w.T.Helper()
	line := w.Line(ref)
	c := push.Chunk{Ref: ref, Tenant: line.Tenant, Attempt: 5, Turn: line.Turn}
	for i, cell := range line.Cells {
		if cell.Code().Class() == push.ClassDeadLettered {
			c.Recipients, c.Index = append(c.Recipients, Recipient(ref, i)), append(c.Index, i)
		}
	}
	if len(c.Index) > 0 {
		w.AddDeadLetter(&c, push.QueueBulk)
	}
}

// Deliver handles one message of the replay lane as deliver would: outcome says
// what becomes of a recipient, CodeOpen that it goes back to the queue.
func (w *World) Deliver(body []byte, outcome func(Place) push.Code) {
	w.T.Helper()
	c, _, err := wire.DecodeChunk(body)
	w.Must(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	line, err := w.Line(c.Ref).Claim("deliver", c.Turn, time.Now())
	if errors.Is(err, ledger.ErrClosed) || errors.Is(err, ledger.ErrStale) {
		return
	}
	w.Must(err)
	again, dead := c, c
	again.Recipients, again.Index, dead.Recipients, dead.Index = nil, nil, nil, nil
	again.Turn++
	for i, cell := range c.Index {
		if !line.Cells[cell].Open() {
			continue
		}
		code := outcome(Place{c.Ref, cell})
		switch {
		case code == push.CodeOpen:
			again.Recipients, again.Index = append(again.Recipients, c.Recipients[i]), append(again.Index, cell)
			continue
		case code == push.CodeSent:
			w.accepted[Place{c.Ref, cell}]++
		case code.Class() == push.ClassDeadLettered:
			dead.Recipients, dead.Index = append(dead.Recipients, c.Recipients[i]), append(dead.Index, cell)
			evidence, err := w.Ledger.Attempts(context.Background(), c.Ref)
			w.Must(err)
			tried := ledger.Attempt{Cell: cell, Attempt: 1, Code: push.CodeFCMUnavailable, At: time.Now()}
			w.Ledger.PutAttempts(c.Ref, append(evidence, tried))
		}
		line.Settle(cell, code, false)
	}
	if len(dead.Index) > 0 {
		w.AddDeadLetter(&dead, push.QueueReplay)
	}
	if open := line.OpenCount(); open == 0 {
		line = line.Close(time.Now())
	} else if open == len(again.Index) {
		line = line.HandBack(ledger.StateWaiting, again.Turn, time.Now())
		b, err := wire.EncodeChunk(&again, "")
		w.Must(err)
		w.Sources[push.QueueReplay].Put(worker.Outgoing{Body: b})
	} else {
		w.T.Fatalf("%s has %d open recipients, its message brought %d of them", c.Ref, open, len(again.Index))
	}
	w.Ledger.PutLine(line)
}

// Accepted returns how often FCM took a message for each recipient.
func (w *World) Accepted() map[Place]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.accepted
}

// All lists every letter, in the order of arrival. Each must have codes by which
// letters can be chosen.
func (w *World) All() []push.Letter {
	w.T.Helper()
	ls, _, err := w.Letters.Letters(w.Context(), push.LetterFilter{OldestFirst: true}, "", 1_000_000)
	w.Must(err)
	for i := range ls {
		for _, code := range []push.Code{ls[i].Code, ls[i].LastCode} {
			if code != push.CodeOpen && !slices.ContainsFunc(push.LetterCodes(), func(f push.Facts) bool { return f.Code == code }) {
				w.T.Fatalf("a letter has the code %s, by which letters cannot be chosen", code)
			}
		}
	}
	return ls
}
