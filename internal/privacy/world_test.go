package privacy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

// flaky is a store of documents that may be away for reading.
type flaky struct {
	document.Store

	err error
}

func (f *flaky) Document(ctx context.Context, kind, name string) (document.Document, error) {
	if f.err != nil {
		return document.Document{}, f.err
	}
	return f.Store.Document(ctx, kind, name)
}

// world is the room on stores in memory. Its faults go around the ledger.
type world struct {
	testing.TB

	devices devicetest.Memory
	ledger  ledgertest.Memory
	pages   batchtest.Memory
	letters letterstest.Memory
	docs    documenttest.Memory
	keys    *privacy.Keys
	fail    func(op string) error // of the ledger; nil: never

	*privacy.Room
	tombs *privacy.Tombstones
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{TB: tb}
	var err error
	w.keys, err = privacy.LoadKeys(tb.Context(), &w.docs, time.Now())
	w.must(err)
	w.restart("p1")
	return w
}

// restart makes the room anew, as another process would.
func (w *world) restart(owner string) {
	w.tombs = privacy.NewTombstones(&w.docs, w.keys, zap.NewNop(), time.Now)
	seen := ledgertest.Around{Store: &w.ledger, Do: func(op string, effect func() error) error {
		if w.fail != nil {
			if err := w.fail(op); err != nil {
				return err
			}
		}
		return effect()
	}}
	w.Room = privacy.New(privacy.Config{
		Devices: &w.devices, Notifications: seen, Chunks: seen, Pages: &w.pages, Letters: &w.letters, Documents: &w.docs,
		Keys: w.keys, Tombstones: w.tombs, Owner: owner, Log: zap.NewNop(), Now: time.Now,
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// token returns a token as long as FCM's.
func token(name string) push.Token { return push.Token(name + strings.Repeat("-", 150)) }

func address(name string) push.Address { return push.Address{Kind: push.KindToken, Value: token(name)} }

func (w *world) register(tenant, user string, names ...string) {
	w.Helper()
	for _, name := range names {
		w.must(w.devices.PutDevices(w.Context(), []push.Device{{
			Tenant: tenant, ID: push.ID("dev-" + name), Address: address(name), UserID: user, State: push.DeviceActive, Source: push.SourceAPI,
		}}))
	}
}

// sent records a notification to recipients, with a plan and a closed line.
func (w *world) sent(n push.Notification, rows []push.Recipient, code push.Code) push.Notification {
	w.Helper()
	n.AcceptedAt, n.Message = time.Now().UTC(), push.Message(`{"notification":{"title":"Hi"}}`)
	n.Priority, n.Guarantee = push.PriorityNormal, push.AtLeastOnce
	n.Progress = push.Progress{Version: 1, State: push.StateSending, Enqueued: true, Sources: int64(len(rows)), Pages: 1}
	w.ledger.PutNotification(n)
	p := ledger.Plan{
		Ref: push.ChunkRef{Notification: n.ID}, Tenant: n.Tenant, FirstLine: 1, Sources: len(rows), Last: true,
		Hashes: make([]uint64, len(rows)), Cells: make([]ledger.Cell, len(rows)),
	}
	for i := range rows {
		p.Hashes[i], p.Cells[i] = rows[i].Address.Hash(), ledger.CellOf(code, false)
	}
	_, err := w.ledger.Plan(w.Context(), []ledger.Plan{p}, time.Now().UTC())
	w.must(err)
	return n
}

// inline is a notification to addresses.
func (w *world) inline(tenant string, code push.Code, names ...string) push.Notification {
	n := push.Notification{ID: push.NewID(push.PrefixNotification), Tenant: tenant}
	var rows []push.Recipient
	for _, name := range names {
		n.Target.Tokens = append(n.Target.Tokens, token(name))
		rows = append(rows, push.Recipient{Address: address(name)})
	}
	return w.sent(n, rows, code)
}

// batch is a batch with an upload page.
func (w *world) batch(tenant string, rows ...push.Recipient) push.Notification {
	w.Helper()
	n := w.sent(push.Notification{ID: push.NewID(push.PrefixBatch), Tenant: tenant}, rows, push.CodeSent)
	for i := range rows {
		rows[i].Line = int64(i) + 1
	}
	data, err := wire.EncodeUploadPage(&wire.UploadPage{First: 1, Last: int64(len(rows)), Recipients: rows})
	w.must(err)
	_, err = w.pages.PutPage(w.Context(), n.ID, push.PageUpload, 0, data)
	w.must(err)
	return n
}

func (w *world) letter(tenant string, kind push.LetterKind, r push.Recipient, body string) push.Letter {
	w.Helper()
	l := push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: kind, Tenant: tenant, Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted,
		Recipient: r, Body: []byte(body), DeadAt: time.Now().UTC(), State: push.LetterParked, Version: 1, Fingerprint: "f",
	}
	_, err := w.letters.PutLetters(w.Context(), []push.Letter{l})
	w.must(err)
	return l
}

// execute runs the executor until a request is done.
func (w *world) execute(tenant string, id push.ID) privacy.Request {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Execute(ctx) }()
	defer func() { stop(); <-ended }()
	for range 600 {
		q, err := w.Get(w.Context(), tenant, id)
		w.must(err)
		if q.State == privacy.StateDone {
			return q
		}
		time.Sleep(time.Second)
	}
	w.Fatal("the request does not end")
	return privacy.Request{}
}

// dump returns everything that is stored, as text.
func (w *world) dump(tenant string) string {
	w.Helper()
	var b strings.Builder
	ds, _, err := w.devices.Devices(w.Context(), tenant, "", "", 1000)
	w.must(err)
	for _, d := range ds {
		_, _ = fmt.Fprintln(&b, d.ID, d.UserID, d.Address.Value.Reveal())
	}
	ns, _, err := w.ledger.Notifications(w.Context(), tenant, "", 1000)
	w.must(err)
	for _, n := range ns {
		for _, r := range n.Target.Recipients() {
			_, _ = fmt.Fprintln(&b, n.ID, r.UserID, r.DeviceID, r.Address.Value.Reveal(), string(n.Message))
		}
		for _, kind := range []push.PageKind{push.PageUpload, push.PagePlan} {
			data, err := w.pages.Page(w.Context(), n.ID, kind, 0)
			if err != nil && !errors.Is(err, push.ErrNotFound) {
				w.Fatal(err)
			}
			_, _ = b.Write(data)
		}
	}
	ls, _, err := w.letters.Letters(w.Context(), push.LetterFilter{Tenant: tenant}, "", 1000)
	w.must(err)
	for _, l := range ls {
		to := &l.Recipient
		_, _ = fmt.Fprintln(&b, l.ID, to.UserID, to.DeviceID, to.Address.Value.Reveal(), to.Data, string(l.Body), l.Detail)
	}
	docs, _, err := w.docs.Documents(w.Context(), "privacy-request", "", 1000)
	w.must(err)
	for _, d := range docs {
		_, _ = b.Write(d.Body)
	}
	return b.String()
}
