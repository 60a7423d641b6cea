package report_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/wire"
)

// Rows name user and device where they were looked up. The page that says so is read once,
// however many answers a listing takes.
func TestDeliveriesAreNamed(t *testing.T) {
	t.Parallel()
	w := open()
	var known []push.Recipient
	for i := range 40 {
		r := row(int64(i+1), 0)
		r.UserID, r.DeviceID = "u"+strings.Repeat("1", i%3), push.ID("d"+strings.Repeat("2", i%5))
		known = append(known, r)
	}
	w.load(push.PagePlan, known, 10)
	w.advance(func(p *push.Progress) { p.Watermark = 40 })
	r := w.reader()
	var got int
	for cursor := ""; ; {
		page, next, err := r.Deliveries(t.Context(), tenant, w.id, report.Filter{}, cursor, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			if want := known[got]; d.UserID != want.UserID || d.DeviceID != want.DeviceID {
				t.Errorf("row %d is of %q and %q, want %q and %q", got, d.UserID, d.DeviceID, want.UserID, want.DeviceID)
			}
			got++
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if got != len(known) || w.reads.Load() != 1 {
		t.Errorf("%d rows after %d page reads", got, w.reads.Load())
	}
	if again, _, err := w.reader().Deliveries(t.Context(), "else", w.id, report.Filter{}, "", 7); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("another tenant's: %v, %v", again, err)
	}
}

// A page that cannot be read fails the answer, and is asked for again by the next.
func TestDeliveriesWithoutPages(t *testing.T) {
	t.Parallel()
	w := open()
	w.load(push.PagePlan, rows(1, 2), 2)
	w.pages.SetPage(w.id, push.PagePlan, 0, []byte("{}"))
	r := w.reader()
	for range 2 {
		if _, _, err := r.Deliveries(t.Context(), tenant, w.id, report.Filter{}, "", 7); !errors.Is(err, wire.ErrForeign) {
			t.Errorf("a page that is not ours: %v", err)
		}
	}
}

// Failed is every outcome but sent, and nothing that is open.
func TestDeliveriesFailed(t *testing.T) {
	t.Parallel()
	w := open()
	codes := []push.Code{
		push.CodeOpen, push.CodeSent, push.CodeFCMUnregistered, push.CodeExpired, push.CodeCancelled, push.CodeUnknown, push.CodeDuplicate,
		push.CodeAttemptsExhausted,
	}
	var lines []int64
	for i := range codes {
		lines = append(lines, int64(i+1))
	}
	w.load("", rows(lines...), len(codes))
	for i, c := range codes {
		if c != push.CodeOpen {
			w.settle(0, i, c)
		}
	}
	got, _, err := w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{Failed: true}, "", 0)
	if err != nil || len(got) != len(codes)-2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, d := range got {
		if d.Code != codes[i+2] {
			t.Errorf("row %d is %s, want %s", i, d.Code, codes[i+2])
		}
	}
}

// An upload line without a delivery is explained: it was refused, and why, or it is blank,
// or it never came.
func TestTraceRefusedLines(t *testing.T) {
	t.Parallel()
	w := open()
	fault := push.Fault{Pointer: "/token", Code: push.FaultValue, Detail: "must not be empty"}
	for n, p := range []wire.UploadPage{
		{First: 1, Last: 3, Recipients: rows(1, 3), Refused: []wire.RefusedLine{{Line: 2, Fault: fault}}},
		{First: 4, Last: 6, Refused: []wire.RefusedLine{{Line: 4, Fault: fault}, {Line: 6, Fault: fault}}}, // line 5 is blank
		{First: 7, Last: 9, Recipients: rows(8, 9), Refused: []wire.RefusedLine{{Line: 7, Fault: fault}}},
	} {
		data, err := wire.EncodeUploadPage(&p)
		if err != nil {
			t.Fatal(err)
		}
		w.pages.SetPage(w.id, push.PageUpload, n, data)
	}
	w.advance(func(p *push.Progress) { p.Watermark, p.Sources, p.Invalid, p.Pages = 9, 4, 4, 3 })
	for line, want := range map[string]string{
		"line:2": "refused", "line:4": "refused", "line:6": "refused", "line:7": "refused", "line:5": "line 5 of the upload is blank",
		"line:10": "line 10 was not uploaded; the upload has 9 lines so far", "line:8": "are not planned yet: ask again later",
	} {
		w.reads.Store(0)
		tr, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, line))
		if want != "refused" {
			if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, push.ErrNotFound) {
				t.Errorf("%s: %v, want %s", line, err, want)
			}
			continue
		}
		if err != nil || tr.Refused == nil || w.reads.Load() > 2 {
			t.Fatalf("%s: %+v, %v after %d page reads", line, tr, err, w.reads.Load())
		}
		if d := cmp.Diff(fault, tr.Refused.Fault); d != "" || "line:"+string(rune('0'+tr.Refused.Line)) != line {
			t.Errorf("%s: line %d: %s", line, tr.Refused.Line, d)
		}
	}
}
