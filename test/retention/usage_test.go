package retention

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/retention"
	"github.com/belfry-push/belfry/internal/usage"
)

// shaky are documents that cannot be written now and then.
type shaky struct {
	document.Store

	writes int
}

var errShaky = errors.New("not now")

func (s *shaky) PutDocument(ctx context.Context, d document.Document) error {
	const seldom = 7
	if s.writes++; s.writes%seldom == 0 {
		return errShaky
	}
	return s.Store.PutDocument(ctx, d)
}

// TestUsageOutlivesNotifications: nobody walked before the retention of a data directory was over, and writing
// fails now and then. Whatever is removed, usage is what was accepted, to the unit.
func TestUsageOutlivesNotifications(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	const days = 4
	for d := range days {
		h.live(d)
	}
	docs := &shaky{Store: h.store}
	room := func() *usage.Room {
		return usage.New(usage.Config{
			Ledger: h.store, Documents: docs, Log: zap.NewNop(), Now: func() time.Time { return h.now },
			Tenants: func(context.Context) ([]string, error) { return []string{tenant}, nil },
			Cost:    func(recipients, _ int64) int64 { return recipients },
		})
	}
	sums := func() (total usage.Sums) {
		t.Helper()
		docs.writes = 1 - 1<<30
		q := usage.Query{Tenant: tenant, Since: "2026-01-01", Until: "2026-12-31", Group: usage.ByTenant}
		p, err := room().Rows(t.Context(), q, "", 100)
		h.must(err)
		docs.writes = 0
		if len(p.Rows) != 1 || !p.Complete {
			t.Fatalf("%+v", p)
		}
		return p.Rows[0].Sums
	}
	const single, batches = days * singles, days + 2 // one of the batches is cancelled, and one abandoned
	check := func(when string) {
		t.Helper()
		got := sums()
		if got.Requests != single+batches || got.Billable() != single+(days+1)*batchSize || got.Open() != 1 {
			t.Errorf("%s: %+v", when, got)
		}
	}
	m := retention.NewMetrics(prometheus.NewRegistry())
	about := &retention.Letters{Store: h.store}
	n := &retention.Notifications{Ledger: h.store, Pages: h.store, Letters: about, Usage: room(), Keep: keepNotifications, Metrics: m}
	h.now = h.began.Add(keepNotifications + 40*day)
	pass := func() {
		for range 20 {
			n.Usage = room()
			if err := h.roomOf(m, []retention.Sweep{n.Sweep()}).Pass(t.Context()); err != nil && !errors.Is(err, errShaky) {
				t.Fatal(err)
			}
			h.now = h.now.Add(time.Hour) // until what was retired is erased
		}
	}
	pass()
	if _, err := h.store.Notification(t.Context(), h.id(push.PrefixNotification, 0, 0)); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("nothing was removed: %v", err)
	}
	check("after removal")
	// Letters keep the notifications that they are about; then they go too.
	moves := make([]push.LetterMove, 0, days*died)
	for d := range days {
		for i := range died {
			moves = append(moves, push.LetterMove{
				ID: h.letter(d, i), Version: 1, State: push.LetterDiscarded, At: h.now, Reason: "too old", By: "nobody",
			})
		}
	}
	_, err := h.store.MoveLetters(t.Context(), moves)
	h.must(err)
	_, err = h.store.PurgeLetters(t.Context(), h.now.Add(time.Hour), 1000)
	h.must(err)
	pass()
	left, _, err := h.store.Notifications(t.Context(), tenant, "", 10)
	h.must(err)
	if len(left) > 1 { // the newest of all stays, for its number
		t.Errorf("%d notifications are left", len(left))
	}
	check("after the removal of all")
}

// BenchmarkUsage measures what a notification costs the walk and the tail of an answer, and what an answer costs
// whose days are all in the books.
func BenchmarkUsage(b *testing.B) {
	h := open(b, b.TempDir())
	const n, at = 5000, 64
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(at)
	for i := range n {
		g.Go(func() error { return h.single(ctx, h.id(push.PrefixNotification, i, 1), false) })
	}
	h.must(g.Wait())
	room := func(docs document.Store) *usage.Room {
		return usage.New(usage.Config{
			Ledger: h.store, Documents: docs, Log: zap.NewNop(), Now: func() time.Time { return h.now },
			Tenants: func(context.Context) ([]string, error) { return []string{tenant}, nil },
		})
	}
	ask := func(r *usage.Room) {
		p, err := r.Rows(b.Context(), usage.Query{Tenant: tenant, Since: "2026-01-01", Until: "2026-02-01"}, "", 1000)
		if err != nil || len(p.Rows) != 1 || p.Rows[0].Requests != n {
			b.Fatalf("%+v, %v", p, err)
		}
	}
	each := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/notification")
	}
	b.Run("tail", func(b *testing.B) {
		for b.Loop() {
			ask(room(h.store))
		}
		each(b)
	})
	h.now = h.now.Add(time.Hour)
	b.Run("walk", func(b *testing.B) {
		for b.Loop() {
			h.must(room(&documenttest.Memory{}).Round(b.Context()))
		}
		each(b)
	})
	h.must(room(h.store).Round(b.Context()))
	b.Run("books", func(b *testing.B) {
		for b.Loop() {
			ask(room(h.store))
		}
	})
}
