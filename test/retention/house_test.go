package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/retention"
	"github.com/belfry-push/belfry/internal/worker"
)

const (
	tenant = "acme"
	day    = 24 * time.Hour

	// How long the house keeps things. Letters are discarded after ten days here.
	keepNotifications, keepPages = 90 * day, 30 * day
	keepLetters, parked          = 30 * day, 10 * day

	batchSize, singles, keys, died = 250, 8, 12, 4 // a day
)

// house is a data directory, and what happens in it day by day. Its clock moves by whole days only.
type house struct {
	tb      testing.TB
	dir     string
	backend *sqlite.Backend
	store   *sqlite.Store
	began   time.Time
	now     time.Time
}

func open(tb testing.TB, dir string) *house {
	tb.Helper()
	h := &house{tb: tb, dir: dir, began: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)}
	h.now = h.began
	h.open()
	tb.Cleanup(h.close)
	return h
}

func (h *house) open() {
	b, err := sqlite.Open(h.tb.Context(), h.dir, zap.NewNop())
	h.must(err)
	h.backend, h.store = b, b.Store()
	h.store.SetNow(func() time.Time { return h.now })
}

func (h *house) close() {
	if err := h.backend.Close(); err != nil {
		h.tb.Error(err)
	}
}

func (h *house) must(errs ...error) {
	h.tb.Helper()
	if err := errors.Join(errs...); err != nil {
		h.tb.Fatal(err)
	}
}

// sweeps are what a process of Belfry sweeps, with stores that faults can be put around.
func (h *house) sweeps(l retention.Ledger, p retention.PageStore, metrics *retention.Metrics) []retention.Sweep {
	about := &retention.Letters{Store: h.store}
	for _, name := range push.Queues() {
		q, err := h.backend.Queue(h.tb.Context(), push.DeadLetterQueue(name), sqlite.QueueConfig{})
		h.must(err)
		about.Dead = append(about.Dead, q)
	}
	const most = 200
	n := &retention.Notifications{Ledger: l, Pages: p, Letters: about, Keep: keepNotifications, Metrics: metrics}
	u := &retention.Pages{Ledger: l, Pages: p, Letters: about, Keep: keepPages}
	return []retention.Sweep{
		retention.Every("key", most, h.store.PurgeExpired),
		retention.Every("letter", most, func(ctx context.Context, now time.Time, most int) (int, error) {
			return h.store.PurgeLetters(ctx, now.Add(-keepLetters), most)
		}),
		{What: "document", Step: func(ctx context.Context, now time.Time) (int, bool, error) {
			n, err := document.Forget(ctx, h.store, "simulation", now.Add(-keepNotifications),
				func(context.Context, *document.Document) (bool, error) { return true, nil })
			return n, false, err
		}},
		n.Sweep(), u.Sweep(),
	}
}

// room sweeps the house's own stores.
func (h *house) room() *retention.Room {
	m := retention.NewMetrics(prometheus.NewRegistry())
	return h.roomOf(m, h.sweeps(h.store, h.store, m))
}

func (h *house) roomOf(m *retention.Metrics, sweeps []retention.Sweep) *retention.Room {
	return retention.New(retention.Config{
		Sweeps: sweeps, Log: zap.NewNop(), Metrics: m, Now: func() time.Time { return h.now },
		Elapsed: func() time.Duration { return h.now.Sub(h.began) }, // so that no pause is made
	})
}

// live lets a day pass in which things are sent, end and are swept.
func (h *house) live(d int) {
	h.tb.Helper()
	h.now = h.began.Add(time.Duration(d) * day)
	g, ctx := errgroup.WithContext(h.tb.Context())
	id := h.id(push.PrefixBatch, d, 0)
	g.Go(func() error { return h.batch(ctx, id, push.StateCompleted) })
	for i := range singles {
		g.Go(func() error { return h.single(ctx, h.id(push.PrefixNotification, d, i), i%2 == 0) })
	}
	if d%7 == 0 {
		g.Go(func() error { return h.batch(ctx, h.id(push.PrefixBatch, d, 1), push.StateCancelled) })
		g.Go(func() error { return h.batch(ctx, h.id(push.PrefixBatch, d, 2), push.StateUploading) })
	}
	for i := range keys {
		g.Go(func() error { return h.key(ctx, fmt.Sprintf("%d/%d", d, i)) })
	}
	g.Go(func() error { return h.die(ctx, d, id) })
	g.Go(func() error { return h.travel(ctx, d) })
	g.Go(func() error {
		body := fmt.Appendf(nil, `{"note":%q}`, strings.Repeat("x", 2000))
		return h.store.PutDocument(ctx, document.Document{
			Kind: "simulation", Name: fmt.Sprintf("sim_%06d", d), Version: 1, Body: body, UpdatedAt: h.now,
		})
	})
	h.must(g.Wait())
}

// id is of the day, and always the same.
func (*house) id(prefix string, d, i int) push.ID {
	return push.DerivedID(prefix, tenant, fmt.Sprintf("%d/%d", d, i))
}

func (h *house) notification(id push.ID, state push.State) push.Notification {
	n := push.Notification{
		ID: id, Tenant: tenant, AcceptedAt: h.now,
		Message:  push.Message(`{"notification":{"title":"Hi","body":"` + strings.Repeat("b", 300) + `"}}`),
		Progress: push.Progress{State: state, Sources: 1, Pages: 1, Enqueued: state != push.StateUploading},
	}
	return n
}

// end stores that a notification has ended.
func (h *house) end(ctx context.Context, id push.ID, state push.State) error {
	_, err := ledger.Advance(ctx, h.store, id, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		p.State, p.Enqueued, p.CompletedAt, p.Finished = state, true, h.now, state == push.StateCancelled
		return p, nil
	})
	return err
}

// batch is uploaded and, unless it is abandoned, planned and sent.
func (h *house) batch(ctx context.Context, id push.ID, ends push.State) error {
	if _, _, err := h.store.Create(ctx, h.notification(id, push.StateUploading)); err != nil {
		return err
	}
	if _, err := h.store.PutPage(ctx, id, push.PageUpload, 0, make([]byte, 155*batchSize)); err != nil {
		return err
	}
	if ends == push.StateUploading {
		return nil
	}
	if err := h.end(ctx, id, push.StateSending); err != nil {
		return err
	}
	if err := h.send(ctx, id, batchSize); err != nil {
		return err
	}
	return h.end(ctx, id, ends)
}

// single goes to a token or, resolved, to a user.
func (h *house) single(ctx context.Context, id push.ID, user bool) error {
	_, _, err := h.store.Create(ctx, h.notification(id, push.StateAccepted))
	if err == nil && user {
		_, err = h.store.PutPage(ctx, id, push.PagePlan, 0, make([]byte, 200))
	}
	if err == nil {
		err = h.send(ctx, id, 1)
	}
	if err == nil {
		err = h.end(ctx, id, push.StateCompleted)
	}
	return err
}

// send has two checkpoints.
func (h *house) send(ctx context.Context, id push.ID, recipients int) error {
	lines, err := h.store.Plan(ctx, []ledger.Plan{{
		Ref: push.ChunkRef{Notification: id}, Tenant: tenant, Sources: recipients, Last: true,
		Hashes: make([]uint64, recipients), Cells: make([]ledger.Cell, recipients),
	}}, h.now)
	if err != nil {
		return err
	}
	line, err := lines[0].Claim("owner", 0, h.now)
	if err == nil {
		err = h.store.SaveLine(ctx, line, 0, nil)
	}
	if err != nil {
		return err
	}
	attempts := make([]ledger.Attempt, recipients)
	for i := range attempts {
		line.Cells[i] = ledger.CellOf(push.CodeSent, false)
		attempts[i] = ledger.Attempt{Cell: i, Attempt: 1, Code: push.CodeSent, At: h.now, Detail: fmt.Sprintf("projects/p/messages/0:%d", i)}
	}
	closed := line.Close(h.now)
	return h.store.SaveLine(ctx, closed, line.Epoch, attempts)
}

func (h *house) key(ctx context.Context, key string) error {
	r := idempotency.Record{
		Tenant: tenant, Key: key, Fingerprint: "f", Holder: "h", LeaseUntil: h.now.Add(idempotency.Lease), ExpiresAt: h.now.Add(idempotency.Keep),
	}
	if _, _, err := h.store.Reserve(ctx, r, h.now); err != nil {
		return err
	}
	r.Status, r.Body = 202, make([]byte, 300)
	return h.store.Complete(ctx, r)
}

// die makes dead letters of a batch, and discards those that have been parked long enough.
func (h *house) die(ctx context.Context, d int, id push.ID) error {
	ls := make([]push.Letter, died)
	for i := range ls {
		ls[i] = push.Letter{
			ID: h.letter(d, i), Kind: push.LetterRecipient, Tenant: tenant, Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted,
			LastCode: push.CodeFCMUnavailable, Notification: id, Cell: i, Fingerprint: "f", AcceptedAt: h.now, DeadAt: h.now, StoredAt: h.now,
			State: push.LetterParked, Version: 1, Detail: strings.Repeat("d", 200),
		}
	}
	if _, err := h.store.PutLetters(ctx, ls); err != nil {
		return err
	}
	var moves []push.LetterMove
	for i := range died {
		moves = append(moves, push.LetterMove{
			ID: h.letter(d-int(parked/day), i), Version: 1, State: push.LetterDiscarded, At: h.now, Reason: "too old", By: "nobody",
		})
	}
	_, err := h.store.MoveLetters(ctx, moves)
	return err
}

func (*house) letter(d, i int) push.ID {
	return push.DerivedID(push.PrefixDeadLetter, tenant, fmt.Sprintf("%d/%d", d, i))
}

// travel has messages go through a queue.
func (h *house) travel(ctx context.Context, d int) error {
	q, err := h.backend.Queue(ctx, push.QueueBulk, sqlite.QueueConfig{})
	if err != nil {
		return err
	}
	if err := q.Send(ctx, []worker.Outgoing{{Body: slices.Repeat([]byte{'m'}, 60<<10)}}); err != nil {
		return err
	}
	msgs, err := q.Receive(ctx, 1, 0)
	if err != nil || len(msgs) != 1 {
		return fmt.Errorf("day %d: received %d messages: %w", d, len(msgs), err)
	}
	return q.Delete(ctx, msgs)
}
