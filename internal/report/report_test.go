package report_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
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
	h := open()
	h.load("", rows(1, 2, 3, 4), 3)
	h.n.Progress.Sources, h.n.Progress.Pages = 10, 2 // the second page is not planned yet
	h.line[0].Settle(0, push.CodeSent, false)
	h.line[0].Settle(1, push.CodeExpired, false)
	v, err := h.reader().Notification(t.Context(), tenant, h.n.ID)
	if err != nil || v.Accepted != 10 || v.Open != 8 || v.State != push.StateSending || v.Counts.ByCode[push.CodeSent] != 1 {
		t.Errorf("half way: got %+v, %v", v, err)
	}
	for i := range h.line {
		for cell := range h.line[i].Cells {
			h.line[i].Settle(cell, push.CodeSent, false)
		}
	}
	if v, _ = h.reader().Notification(t.Context(), tenant, h.n.ID); v.State != push.StateSending || v.Open != 6 {
		t.Errorf("one page settled: got %s with %d open", v.State, v.Open)
	}
	h.n.Progress.Sources, h.n.Progress.Pages = 4, 1
	if v, _ = h.reader().Notification(t.Context(), tenant, h.n.ID); v.State != push.StateCompleted || v.Open != 0 || v.Accepted != 4 {
		t.Errorf("settled: got %s with %d of %d open", v.State, v.Open, v.Accepted)
	}
	for who, id := range map[string]push.ID{"else": h.n.ID, tenant: push.NewID(push.PrefixBatch)} {
		if _, err := h.reader().Notification(t.Context(), who, id); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("of %s: got %v", who, err)
		}
		if _, _, err := h.reader().Deliveries(t.Context(), who, id, report.Filter{}, "", 0); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("deliveries of %s: got %v", who, err)
		}
	}
}

// Planning between the two reads is no imbalance.
func TestNotificationLooksTwice(t *testing.T) {
	t.Parallel()
	h := open()
	h.late = func() { h.load("", rows(1, 2, 3), 3) }
	v, err := h.reader().Notification(t.Context(), tenant, h.n.ID)
	if err != nil || v.Accepted != 3 || v.Notification.Progress.Sources != 3 {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestNotificationsLimit(t *testing.T) {
	t.Parallel()
	h := open()
	for limit, want := range map[int]int{-1: 100, 0: 100, 1: 1, 1000: 1000, 5000: 1000} {
		ns, next, err := h.reader().Notifications(t.Context(), tenant, "", limit)
		if err != nil || len(ns) != 1 || next != "next" || h.asked != want {
			t.Errorf("limit %d became %d: %v", limit, h.asked, err)
		}
	}
	if _, _, err := h.reader().Notifications(t.Context(), tenant, "bad", 1); !errors.Is(err, push.ErrCursor) {
		t.Errorf("got %v", err)
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	h := open()
	h.load("", rows(1, 2, 3, 4, 5), 3)
	h.n.Progress.Watermark = 5
	h.line[0].Settle(1, push.CodeSent, true)
	h.attempt[h.line[0].Ref] = []ledger.Attempt{
		{Cell: 1, Attempt: 1, Code: push.CodeNetTimeout, At: time.Unix(3, 0)},
		{Cell: 0, Attempt: 1, Code: push.CodeFCMInternal},
		{Cell: 1, Attempt: 2, Code: push.CodeSent, Detail: "projects/p/messages/1"},
	}
	all, next, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, report.Filter{}, "", 0)
	if err != nil || next != "" || len(all) != 5 {
		t.Fatalf("got %d rows, %q, %v", len(all), next, err)
	}
	evidence := h.attempt[h.line[0].Ref]
	want := report.Delivery{
		Line: 2, Index: 1, Code: push.CodeSent, PossibleDuplicate: true, Hash: row(2, 0).Address.Hash(),
		Attempts: []ledger.Attempt{evidence[0], evidence[2]},
	}
	if d := cmp.Diff(want, all[1]); d != "" {
		t.Error(d)
	}
	if last := all[4]; last.Line != 5 || last.Chunk != 1 || last.Index != 1 || h.reads != 0 {
		t.Errorf("got %+v after %d page reads", last, h.reads)
	}
	h.evidence = 0
	some, _, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, report.Filter{Class: push.ClassSent, HasClass: true, NoAttempts: true}, "", 10)
	want.Attempts = nil
	if d := cmp.Diff([]report.Delivery{want}, some); d != "" || err != nil || h.evidence != 0 {
		t.Errorf("%v: %s", err, d)
	}
}

// An answer looks at 2,000 lines at the most, and the cursor leads on.
func TestDeliveriesRareClass(t *testing.T) {
	t.Parallel()
	h := open()
	const chunks = 4500
	for i := range chunks {
		h.load("", rows(int64(i+1)), 1)
	}
	h.line[chunks-1].Settle(0, push.CodeFCMUnregistered, false)
	f := report.Filter{Code: push.CodeFCMUnregistered, HasCode: true}
	cursor, calls := "", 0
	for {
		got, next, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, f, cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		if calls++; next == "" {
			if len(got) != 1 || got[0].Chunk != h.line[chunks-1].Ref.Seq || calls != 3 {
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
	h := open()
	for _, c := range []string{"x", "ZDE6MTox=", "ZDI6MDow", "ZDE6LTE6MA", "ZDE6MDowIA", "ZDE6MDA6MA", "ééé"} {
		if _, _, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, report.Filter{}, c, 1); !errors.Is(err, push.ErrCursor) {
			t.Errorf("%q: got %v", c, err)
		}
	}
}

// With the page gone, a line that the plan can't tell is not guessed.
func TestLineUnknown(t *testing.T) {
	t.Parallel()
	h := open()
	h.load("", rows(1, 3, 4), 5)
	h.n.Progress.Watermark = 6
	got, _, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, report.Filter{}, "", 10)
	if err != nil || got[0].Line != 1 || got[1].Line != 0 || got[2].Line != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// The sources of an inline target are numbered for planning, but are no lines.
func TestNoLinesInline(t *testing.T) {
	t.Parallel()
	h := open()
	h.n.ID = push.NewID(push.PrefixNotification)
	h.load("", rows(1, 2, 3), 5)
	got, _, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, report.Filter{}, "", 10)
	if err != nil || len(got) != 3 || got[0].Line != 0 || got[2].Line != 0 || h.reads != 0 {
		t.Errorf("got %+v, %v after %d page reads", got, err, h.reads)
	}
}

// Whatever was refused, blank, or expanded into several rows: every row knows
// its line, in whatever portions the rows are asked for.
func TestDeliveriesInPortions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := open()
		var want []report.Delivery
		line, at := int64(0), 0
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
			h.load(kind, page, rapid.IntRange(1, 5).Draw(t, "chunk"))
			for ; at < len(h.plan); at++ {
				for i := range h.plan[at].Hashes {
					code := rapid.SampledFrom([]push.Code{push.CodeOpen, push.CodeSent, push.CodeExpired}).Draw(t, "code")
					h.line[at].Settle(i, code, false)
					d := report.Delivery{Line: page[0].Line, Chunk: h.plan[at].Ref.Seq, Index: i, Code: code, Hash: h.plan[at].Hashes[i]}
					want, page = append(want, d), page[1:]
				}
			}
		}
		h.n.Progress.Watermark = line + int64(rapid.IntRange(0, 1).Draw(t, "tail"))
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
			part, next, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, f, cursor, limit)
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
