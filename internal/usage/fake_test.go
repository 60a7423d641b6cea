package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a ledger with its books, and what must come of it.
type world struct {
	*testing.T

	ledger *ledgertest.Memory
	docs   *breaking
	room   *Room
	now    time.Time
	last   int // number of the last notification

	live  map[push.ID]push.Notification // those in the ledger
	order []push.ID
	gone  map[key]Sums // what was used by those that are removed
}

// key is what one row is about.
type key struct {
	tenant, app string
	day         Day
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		T: t, ledger: &ledgertest.Memory{}, docs: &breaking{Store: &documenttest.Memory{}, left: -1},
		now: time.Date(2026, 11, 28, 21, 0, 0, 0, time.UTC), live: map[push.ID]push.Notification{}, gone: map[key]Sums{},
	}
	w.restart()
	return w
}

// restart begins with a process that remembers nothing.
func (w *world) restart() {
	w.room = New(Config{
		Ledger: w.ledger, Documents: w.docs, Log: zap.NewNop(), Now: func() time.Time { return w.now }, Cost: testCost,
		Tenants: func(context.Context) ([]string, error) { return []string{"acme", "default", "zoo"}, nil },
	})
}

// testCost is not linear: sums of costs are not the cost of sums.
func testCost(recipients, billable int64) int64 { return 7 + 3*recipients + (billable+1)/2 }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// accept accepts a notification with a chunk of open recipients.
func (w *world) accept(tenant, app string, size int) push.ID {
	w.Helper()
	w.last++
	n := push.Notification{
		ID: push.ID(fmt.Sprintf("ntf_%08d", w.last)), Tenant: tenant, App: app, AcceptedAt: w.now,
		Progress: push.Progress{State: push.StateAccepted, Enqueued: true, Sources: int64(size), Pages: 1},
	}
	_, _, err := w.ledger.Create(w.Context(), n)
	w.must(err)
	w.live[n.ID] = n
	w.order = append(w.order, n.ID)
	return n.ID
}

// plan plans a notification's only chunk.
func (w *world) plan(id push.ID) {
	w.Helper()
	n := w.live[id]
	size := int(n.Progress.Sources)
	_, err := w.ledger.Plan(w.Context(), []ledger.Plan{{
		Ref: push.ChunkRef{Notification: id}, Tenant: n.Tenant, Sources: size, Last: true,
		Cells: make([]ledger.Cell, size), Hashes: make([]uint64, size),
	}}, w.now)
	w.must(err)
}

// end gives every open recipient of a notification one of the codes, and completes it.
func (w *world) end(id push.ID, code func(i int) push.Code) {
	w.Helper()
	ref := push.ChunkRef{Notification: id}
	l, err := w.ledger.Line(w.Context(), ref)
	if errors.Is(err, push.ErrNotFound) {
		w.plan(id)
		l, err = w.ledger.Line(w.Context(), ref)
	}
	w.must(err)
	if l.State == ledger.StateClosed {
		return
	}
	for i, c := range l.Cells {
		if c.Open() {
			l.Cells[i] = ledger.CellOf(code(i), i%5 == 4)
		}
	}
	l.State = ledger.StateClosed
	l.Epoch++
	w.ledger.PutLine(l)
	w.change(id, func(p *push.Progress) { p.State = push.StateCompleted })
}

func (w *world) change(id push.ID, f func(p *push.Progress)) {
	w.ledger.ChangeNotification(id, func(n *push.Notification) {
		f(&n.Progress)
		n.Progress.Version++
		w.live[id] = *n
	})
}

// replay opens what is dead-lettered of a notification.
func (w *world) replay(id push.ID) {
	w.Helper()
	l, err := w.ledger.Line(w.Context(), push.ChunkRef{Notification: id})
	if errors.Is(err, push.ErrNotFound) || l.State != ledger.StateClosed {
		return
	}
	w.must(err)
	var dead []int
	for i, c := range l.Cells {
		if c.Code().Class() == push.ClassDeadLettered {
			dead = append(dead, i)
		}
	}
	if len(dead) == 0 {
		return
	}
	next, _, err := l.Reopen(dead, "rpl_1", w.now)
	w.must(err)
	w.ledger.PutLine(next)
}

// remove removes notifications as retention does, if the books have them.
func (w *world) remove(ids ...push.ID) error {
	w.Helper()
	var aged []ledger.Aged
	for _, id := range ids {
		n, err := w.ledger.Notification(w.Context(), id)
		w.must(err)
		aged = append(aged, ledger.AgedOf(&n))
	}
	taken, err := w.room.Taken(w.Context(), aged)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if taken[i] {
			w.forget(id)
		}
	}
	return nil
}

func (w *world) forget(id push.ID) {
	n := w.live[id]
	at := keyOf(&n)
	w.gone[at] = w.gone[at].Plus(w.used(id))
	delete(w.live, id)
	w.ledger.ForgetNotification(id)
	w.ledger.ForgetLine(push.ChunkRef{Notification: id})
}

func keyOf(n *push.Notification) key { return key{n.Tenant, n.AppName(), DayOf(n.AcceptedAt)} }

// used is what the ledger has of a notification.
func (w *world) used(id push.ID) Sums {
	w.Helper()
	n, err := w.ledger.Notification(w.Context(), id)
	w.must(err)
	c, err := w.ledger.Counts(w.Context(), id)
	w.must(err)
	s := Sums{Requests: 1, Recipients: c.Recipients, Invalid: n.Progress.Invalid, PossibleDuplicates: c.PossibleDuplicates}
	if open := n.Progress.Sources - c.Sources; open > 0 {
		s.Recipients += open
		s.ByClass[push.ClassOpen] += open
	}
	for i, k := range c.ByCode {
		s.ByClass[push.Code(i).Class()] += k
	}
	s.Nanodollars = testCost(s.Recipients, s.Billable())
	return s
}

// want is what the ledger says, with what it had.
func (w *world) want() map[key]Sums {
	w.Helper()
	all := maps.Clone(w.gone)
	for id, n := range w.live {
		all[keyOf(&n)] = all[keyOf(&n)].Plus(w.used(id))
	}
	return all
}

func all() Query { return Query{Since: "2026-01-01", Until: "2027-01-01"} }

// got is what the room says, read page by page.
func (w *world) got(q Query, limit int) (map[key]Sums, Page) {
	w.Helper()
	sums := map[key]Sums{}
	for cursor := ""; ; {
		p, err := w.room.Rows(w.Context(), q, cursor, limit)
		w.must(err)
		for _, row := range p.Rows {
			at := key{row.Tenant, row.App, row.Day}
			if _, twice := sums[at]; twice {
				w.Fatalf("two rows of %v", at)
			}
			sums[at] = row.Sums
		}
		if cursor = p.Next; cursor == "" {
			return sums, p
		}
	}
}

// breaking is a store that a process is killed over: after so many writes, nothing works.
type breaking struct {
	document.Store

	left int // writes until it breaks; negative for never
}

var errKilled = errors.New("killed")

func (b *breaking) write() error {
	if b.left == 0 {
		return errKilled
	}
	b.left--
	return nil
}

func (b *breaking) PutDocument(ctx context.Context, d document.Document) error {
	if err := b.write(); err != nil {
		return err
	}
	return b.Store.PutDocument(ctx, d)
}

func (b *breaking) DeleteDocument(ctx context.Context, kind, name string, version int64) error {
	if err := b.write(); err != nil {
		return err
	}
	return b.Store.DeleteDocument(ctx, kind, name, version)
}

// anyCode returns codes of all classes of outcome.
func anyCode(r *rand.Rand) func(int) push.Code {
	codes := []push.Code{push.CodeSent, push.CodeSent, push.CodeUnknown, push.CodeAttemptsExhausted, push.CodeExpired, push.CodeCancelled}
	return func(int) push.Code { return codes[r.IntN(len(codes))] }
}
