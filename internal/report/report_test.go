package report_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// row is a recipient of an upload line, one of several under the same line.
func row(line int64, nth int) push.Recipient {
	return push.Recipient{Line: line, Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("t%d-%d", line, nth))}}
}

func rows(lines ...int64) []push.Recipient {
	out := make([]push.Recipient, len(lines))
	for i, l := range lines {
		out[i] = row(l, 0)
	}
	return out
}

func TestNotification(t *testing.T) {
	t.Parallel()
	w := open()
	w.load("", rows(1, 2, 3, 4), 3)
	w.advance(func(p *push.Progress) { p.Sources, p.Pages = 10, 2 }) // the second page is not planned yet
	w.settle(0, 0, push.CodeSent)
	w.settle(0, 1, push.CodeExpired)
	v, err := w.reader().Notification(t.Context(), tenant, w.id)
	if err != nil || v.Accepted != 10 || v.Open != 8 || v.State != push.StateSending || v.Counts.ByCode[push.CodeSent] != 1 {
		t.Errorf("half way: got %+v, %v", v, err)
	}
	for ref, l := range w.ledger.AllLines() {
		for cell := range l.Cells {
			w.settle(ref.Seq, cell, push.CodeSent)
		}
	}
	if v, _ = w.reader().Notification(t.Context(), tenant, w.id); v.State != push.StateSending || v.Open != 6 {
		t.Errorf("one page settled: got %s with %d open", v.State, v.Open)
	}
	w.advance(func(p *push.Progress) { p.Sources, p.Pages = 4, 1 })
	if v, _ = w.reader().Notification(t.Context(), tenant, w.id); v.State != push.StateCompleted || v.Open != 0 || v.Accepted != 4 {
		t.Errorf("settled: got %s with %d of %d open", v.State, v.Open, v.Accepted)
	}
	for who, id := range map[string]push.ID{"else": w.id, tenant: push.NewID(push.PrefixBatch)} {
		if _, err := w.reader().Notification(t.Context(), who, id); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("of %s: got %v", who, err)
		}
		if _, _, err := w.reader().Deliveries(t.Context(), who, id, report.Filter{}, "", 0); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("deliveries of %s: got %v", who, err)
		}
	}
}

// Planning between the two reads is no imbalance.
func TestNotificationLooksTwice(t *testing.T) {
	t.Parallel()
	w := open()
	late := sync.OnceFunc(func() { w.load("", rows(1, 2, 3), 3) })
	r := w.readerOn(ledgertest.Around{Store: w.ledger, Do: func(op string, effect func() error) error {
		if op == "Counts" {
			late()
		}
		return effect()
	}})
	v, err := r.Notification(t.Context(), tenant, w.id)
	if err != nil || v.Accepted != 3 || v.Notification.Progress.Sources != 3 {
		t.Errorf("got %+v, %v", v, err)
	}
}

// listings notes the limit of the last listing of notifications.
type listings struct {
	ledgertest.Store

	limit int
}

func (l *listings) Notifications(ctx context.Context, tenant, cursor string, limit int) ([]push.Notification, string, error) {
	l.limit = limit
	return l.Store.Notifications(ctx, tenant, cursor, limit)
}

func TestNotificationsLimit(t *testing.T) {
	t.Parallel()
	w := open()
	w.ledger.PutNotification(push.Notification{ID: push.NewID(push.PrefixBatch), Tenant: tenant, AcceptedAt: time.Unix(1, 0)})
	asked := &listings{Store: w.ledger}
	r := w.readerOn(asked)
	for limit, want := range map[int]int{-1: 100, 0: 100, 1: 1, 1000: 1000, 5000: 1000} {
		ns, next, err := r.Notifications(t.Context(), tenant, report.Search{}, "", limit)
		if err != nil || len(ns) != min(2, want) || (next != "") != (want == 1) || asked.limit != want {
			t.Errorf("limit %d became %d: %d notifications, %q, %v", limit, asked.limit, len(ns), next, err)
		}
		if next == "" {
			continue
		}
		if ns, next, err = r.Notifications(t.Context(), tenant, report.Search{}, next, limit); err != nil || len(ns) != 1 ||
			ns[0].Notification.ID != w.id || next != "" {
			t.Errorf("behind the cursor: %+v, %q, %v", ns, next, err)
		}
	}
	if _, _, err := r.Notifications(t.Context(), tenant, report.Search{}, "bad", 1); !errors.Is(err, push.ErrCursor) {
		t.Errorf("got %v", err)
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	w := open()
	w.load("", rows(1, 2, 3, 4, 5), 3)
	w.advance(func(p *push.Progress) { p.Watermark = 5 })
	w.changeLine(0, func(l *ledger.Line) { l.Settle(1, push.CodeSent, true) })
	evidence := []ledger.Attempt{
		{Cell: 1, Attempt: 1, Code: push.CodeNetTimeout, At: time.Unix(3, 0)},
		{Cell: 0, Attempt: 1, Code: push.CodeFCMInternal},
		{Cell: 1, Attempt: 2, Code: push.CodeSent, Detail: "projects/p/messages/1"},
	}
	w.ledger.PutAttempts(w.chunk(0), evidence)
	all, next, err := w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{}, "", 0)
	if err != nil || next != "" || len(all) != 5 {
		t.Fatalf("got %d rows, %q, %v", len(all), next, err)
	}
	want := report.Delivery{
		Line: 2, Index: 1, Code: push.CodeSent, PossibleDuplicate: true, Hash: row(2, 0).Address.Hash(),
		Attempts: []ledger.Attempt{evidence[0], evidence[2]},
	}
	if d := cmp.Diff(want, all[1]); d != "" {
		t.Error(d)
	}
	if last := all[4]; last.Line != 5 || last.Chunk != 1 || last.Index != 1 || w.reads.Load() != 1 {
		t.Errorf("got %+v after %d page reads", last, w.reads.Load())
	}
	w.evidence.Store(0)
	some, _, err := w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{Class: push.ClassSent, HasClass: true, NoAttempts: true},
		"", 10)
	want.Attempts = nil
	if d := cmp.Diff([]report.Delivery{want}, some); d != "" || err != nil || w.evidence.Load() != 0 {
		t.Errorf("%v: %s", err, d)
	}
}

// An answer looks at 2,000 lines at the most, and the cursor leads on.
func TestDeliveriesRareClass(t *testing.T) {
	t.Parallel()
	w := open()
	const chunks = 4500
	for i := range chunks {
		w.load("", rows(int64(i+1)), 1)
	}
	const last = (chunks - 1) * push.ChunksPerPage // each page is one chunk
	w.settle(last, 0, push.CodeFCMUnregistered)
	f := report.Filter{Code: push.CodeFCMUnregistered, HasCode: true}
	cursor, calls := "", 0
	for {
		got, next, err := w.reader().Deliveries(t.Context(), tenant, w.id, f, cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		if calls++; next == "" {
			if len(got) != 1 || got[0].Chunk != last || calls != 3 {
				t.Errorf("got %+v after %d calls", got, calls)
			}
			return
		}
		if cursor = next; len(got) != 0 {
			t.Errorf("got %+v", got)
		}
	}
}

func TestDeliveriesCursor(t *testing.T) {
	t.Parallel()
	w := open()
	for _, c := range []string{"x", "ZDE6MTox=", "ZDI6MDow", "ZDE6LTE6MA", "ZDE6MDowIA", "ZDE6MDA6MA", "ééé"} {
		if _, _, err := w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{}, c, 1); !errors.Is(err, push.ErrCursor) {
			t.Errorf("%q: got %v", c, err)
		}
	}
}

// With the page gone, a line that the plan can't tell is not guessed.
func TestLineUnknown(t *testing.T) {
	t.Parallel()
	w := open()
	w.load("", rows(1, 3, 4), 5)
	w.advance(func(p *push.Progress) { p.Watermark = 6 })
	got, _, err := w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{}, "", 10)
	if err != nil || got[0].Line != 1 || got[1].Line != 0 || got[2].Line != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// The sources of an inline target are numbered for planning, but are no lines.
func TestNoLinesInline(t *testing.T) {
	t.Parallel()
	w := openAs(push.PrefixNotification)
	w.load("", rows(1, 2, 3), 5)
	got, _, err := w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{}, "", 10)
	if err != nil || len(got) != 3 || got[0].Line != 0 || got[2].Line != 0 || w.reads.Load() != 0 {
		t.Errorf("got %+v, %v after %d page reads", got, err, w.reads.Load())
	}
}

// Whatever was refused, blank, or expanded into several rows: every row knows
// its line, in whatever portions the rows are asked for.
func TestDeliveriesInPortions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := open()
		var want []report.Delivery
		line := int64(0)
		for range rapid.IntRange(0, 3).Draw(t, "pages") {
			kind := rapid.SampledFrom([]push.PageKind{push.PageUpload, push.PagePlan}).Draw(t, "kind")
			var page []push.Recipient
			for range rapid.IntRange(1, 12).Draw(t, "sources") {
				line += rapid.SampledFrom([]int64{1, 1, 1, 2, 3}).Draw(t, "gap")
				n := 1
				if kind == push.PagePlan {
					n = rapid.IntRange(1, 3).Draw(t, "devices")
				}
				for nth := range n {
					page = append(page, row(line, nth))
				}
			}
			for _, p := range w.load(kind, page, rapid.IntRange(1, 5).Draw(t, "chunk")) {
				for i := range p.Hashes {
					code := rapid.SampledFrom([]push.Code{push.CodeOpen, push.CodeSent, push.CodeExpired}).Draw(t, "code")
					w.settle(p.Ref.Seq, i, code)
					d := report.Delivery{Line: page[0].Line, Chunk: p.Ref.Seq, Index: i, Code: code, Hash: p.Hashes[i]}
					want, page = append(want, d), page[1:]
				}
			}
		}
		line += int64(rapid.IntRange(0, 1).Draw(t, "tail"))
		w.advance(func(p *push.Progress) { p.Watermark = line })
		f := report.Filter{
			HasClass: rapid.Bool().Draw(t, "by class"), Class: push.ClassSent,
			HasCode: rapid.Bool().Draw(t, "by code"), Code: rapid.SampledFrom([]push.Code{push.CodeOpen, push.CodeSent}).Draw(t, "which"),
		}
		var left []report.Delivery
		for _, d := range want {
			if (!f.HasClass || d.Code == push.CodeSent) && (!f.HasCode || d.Code == f.Code) {
				left = append(left, d)
			}
		}
		var got []report.Delivery
		for cursor := ""; ; {
			limit := rapid.IntRange(1, 6).Draw(t, "limit")
			part, next, err := w.reader().Deliveries(t.Context(), tenant, w.id, f, cursor, limit)
			if err != nil || len(part) > limit {
				t.Fatalf("%d rows of %d: %v", len(part), limit, err)
			}
			got = append(got, part...)
			if cursor = next; next == "" {
				break
			}
		}
		if d := cmp.Diff(left, got); d != "" {
			t.Error(d)
		}
	})
}
