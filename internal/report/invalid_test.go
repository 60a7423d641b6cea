package report_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// refuse adds an upload page of ten lines, of which the numbered ones were refused.
func (w *world) refuse(t *testing.T, numbers ...int64) {
	t.Helper()
	before := w.progress()
	p := wire.UploadPage{First: before.Watermark + 1, Last: before.Watermark + 10}
	for _, n := range numbers {
		p.Refused = append(p.Refused,
			wire.RefusedLine{Line: n, Fault: push.Fault{Pointer: "/token", Code: push.FaultValue, Detail: fmt.Sprint("because of ", n)}})
	}
	data, err := wire.EncodeUploadPage(&p)
	if err != nil {
		t.Fatal(err)
	}
	w.pages.SetPage(w.id, push.PageUpload, before.Pages, data)
	w.advance(func(to *push.Progress) {
		to.Pages++
		to.Watermark = p.Last
		to.Invalid += int64(len(numbers))
	})
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	w := open()
	w.refuse(t, 2, 3, 10)
	w.refuse(t)
	w.refuse(t, 21)
	for range 50 { // beyond what is read for one answer
		w.refuse(t)
	}
	w.refuse(t, 540)
	w.pages.ForgetPage(w.id, push.PageUpload, 7) // expired
	for _, limit := range []int{1, 2, 3, 0} {
		var got []int64
		cursor, calls := "", 0
		for {
			rows, next, err := w.reader().Invalid(t.Context(), tenant, w.id, cursor, limit)
			if err != nil || limit > 0 && len(rows) > limit {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				got = append(got, r.Line)
				if r.Detail != fmt.Sprint("because of ", r.Line) || r.Pointer != "/token" || r.Code != push.FaultValue {
					t.Errorf("line %d: %+v", r.Line, r)
				}
			}
			if cursor = next; cursor == "" {
				break
			}
			if calls++; calls > 20 {
				t.Fatal("the listing does not end")
			}
		}
		if d := cmp.Diff([]int64{2, 3, 10, 21, 540}, got); d != "" {
			t.Errorf("limit %d: %s", limit, d)
		}
	}
}

func TestInvalidRefuses(t *testing.T) {
	t.Parallel()
	w := open()
	w.refuse(t, 1)
	r := w.reader()
	if _, _, err := r.Invalid(t.Context(), "else", w.id, "", 0); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("another tenant's: %v", err)
	}
	for _, cursor := range []string{"x", "aTE6LTE6MA", "aTE6MTowMA", "ZDE6MTow"} {
		if _, _, err := r.Invalid(t.Context(), tenant, w.id, cursor, 0); !errors.Is(err, push.ErrCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
	w.pages.SetPage(w.id, push.PageUpload, 0, []byte("{}"))
	if _, _, err := r.Invalid(t.Context(), tenant, w.id, "", 0); !errors.Is(err, wire.ErrForeign) {
		t.Errorf("a page that is not ours: %v", err)
	}
	w.advance(func(p *push.Progress) { p.Invalid = 0 })
	w.reads.Store(0)
	if rows, next, err := r.Invalid(t.Context(), tenant, w.id, "", 0); err != nil || len(rows) != 0 || next != "" || w.reads.Load() != 0 {
		t.Errorf("without any: %v, %q, %v, %d reads", rows, next, err, w.reads.Load())
	}
}
