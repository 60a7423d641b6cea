package report_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

const tenant = "acme"

// world is what the room reads from, with one notification in it.
type world struct {
	id       push.ID // the notification's
	ledger   *ledgertest.Memory
	pages    *batchtest.Memory
	devices  *devicetest.Memory
	reads    atomic.Int64 // of pages
	evidence atomic.Int64 // reads of attempts
}

// open returns a world with a started batch in it that has no pages yet.
func open() *world { return openAs(push.PrefixBatch) }

// openAs does what open does, with a notification whose id has the prefix.
func openAs(prefix string) *world {
	w := &world{id: push.NewID(prefix), ledger: &ledgertest.Memory{}, pages: &batchtest.Memory{}, devices: &devicetest.Memory{}}
	w.ledger.PutNotification(push.Notification{ID: w.id, Tenant: tenant, Progress: push.Progress{
		Version: 3, State: push.StateSending, StartedAt: time.Unix(1, 0),
	}})
	return w
}

func (w *world) reader() *report.Reader { return w.readerOn(w.ledger) }

// readerOn returns a room that reads from the world, and in it from this ledger.
func (w *world) readerOn(l ledgertest.Store) *report.Reader {
	l = ledgertest.Around{Store: l, Do: counting("Attempts", &w.evidence)}
	return report.New(report.Config{
		Notifications: l, Chunks: l, Devices: w.devices, Log: zap.NewNop(),
		Pages: batchtest.Around{Pages: w.pages, Do: counting("Page", &w.reads)},
	})
}

// counting returns a Do that counts the calls of one method.
func counting(method string, calls *atomic.Int64) func(op string, effect func() error) error {
	return func(op string, effect func() error) error {
		if op == method {
			calls.Add(1)
		}
		return effect()
	}
}

// progress returns the notification's progress as it is stored.
func (w *world) progress() push.Progress {
	n, err := w.ledger.Notification(context.Background(), w.id)
	if err != nil {
		panic(err)
	}
	return n.Progress
}

// advance changes the notification's progress.
func (w *world) advance(change func(p *push.Progress)) {
	w.ledger.ChangeNotification(w.id, func(n *push.Notification) { change(&n.Progress) })
}

// chunk returns the reference of one of the notification's chunks.
func (w *world) chunk(seq int) push.ChunkRef { return push.ChunkRef{Notification: w.id, Seq: seq} }

// changeLine changes the line of a chunk.
func (w *world) changeLine(seq int, change func(l *ledger.Line)) {
	l, err := w.ledger.Line(context.Background(), w.chunk(seq))
	if err != nil {
		panic(err)
	}
	change(&l)
	w.ledger.PutLine(l)
}

// settle gives a recipient its outcome.
func (w *world) settle(seq, cell int, code push.Code) {
	w.changeLine(seq, func(l *ledger.Line) { l.Settle(cell, code, false) })
}

// load adds a page of recipients and plans it as fanout does, in chunks of at
// most so many rows; kind says which page is kept, "" none. It returns the plans.
func (w *world) load(kind push.PageKind, rows []push.Recipient, chunk int) (plans []ledger.Plan) {
	n := w.progress().Pages
	if kind != "" {
		data, err := wire.EncodeRecipients(rows)
		if err != nil {
			panic(err)
		}
		w.pages.SetPage(w.id, kind, n, data)
	}
	last, sources := int64(-1), 0
	for at := 0; at < len(rows); at += chunk {
		part := rows[at:min(at+chunk, len(rows))]
		p := ledger.Plan{
			Ref: w.chunk(n*push.ChunksPerPage + at/chunk), Tenant: tenant,
			FirstLine: part[0].Line, Last: at+chunk >= len(rows), Cells: make([]ledger.Cell, len(part)),
		}
		for _, r := range part {
			p.Hashes = append(p.Hashes, r.Address.Hash())
			if r.Line != last {
				p.Sources++
				sources++
			}
			last = r.Line
		}
		w.ledger.PutPlan(p)
		w.ledger.PutLine(ledger.NewLine(p, time.Unix(2, 0)))
		plans = append(plans, p)
	}
	w.advance(func(p *push.Progress) {
		p.Pages++
		p.Sources += int64(sources)
	})
	return plans
}
