package batch_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

func TestUploadAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := open()
	b := room(t, w, 3)
	for range 2 {
		if _, err := b.Upload(t.Context(), tenant, w.id, numbered(1, 8), batch.Options{Offset: 1}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := b.Upload(t.Context(), tenant, w.id, numbered(4, 10), batch.Options{Offset: 4})
	if err != nil || res.Skipped != 5 || res.Accepted != 2 || res.Watermark != 10 {
		t.Errorf("got %+v, %v", res, err)
	}
	if got := layout(w.stored(t)); got != "ggg ggg gg gg" {
		t.Errorf("pages are %q", got)
	}
}

func TestUploadBrokenStream(t *testing.T) {
	t.Parallel()
	errCut := errors.New("connection reset")
	stream := func() io.Reader {
		return io.MultiReader(numbered(1, 4), strings.NewReader(`{"token":"t5`), iotest.ErrReader(errCut))
	}
	w := open()
	res, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, stream(), batch.Options{Offset: 1})
	if !errors.Is(err, errCut) || res.Accepted != 4 || res.Watermark != 4 {
		t.Errorf("whole lines are kept: got %+v, %v", res, err)
	}
	w = open()
	res, err = room(t, w, 3).Upload(t.Context(), tenant, w.id, stream(), batch.Options{AllOrNothing: true})
	if !errors.Is(err, errCut) || res.Watermark != 0 || w.pages.Len() != 0 {
		t.Errorf("nothing is kept of all or nothing: got %+v, %v", res, err)
	}
}

// onRead is an empty stream that calls a function when it is read.
type onRead func()

func (f onRead) Read([]byte) (int, error) { f(); return 0, io.EOF }

func TestUploadCallerHangsUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := open()
	body := io.MultiReader(onRead(cancel), numbered(1, 8))
	res, err := room(t, w, 3).Upload(ctx, tenant, w.id, body, batch.Options{})
	if !errors.Is(err, context.Canceled) || res.Watermark != 3 {
		t.Errorf("got %+v, %v; want the page in hand to be durable and no more", res, err)
	}
}

// A page that nobody announced, its writer having died, is taken over.
func TestUploadAdoptsOrphan(t *testing.T) {
	t.Parallel()
	orphan := func(t *testing.T, body string, lines int64) *world {
		t.Helper()
		before := open()
		if _, err := room(t, before, 9).Upload(t.Context(), tenant, before.id, strings.NewReader(body), batch.Options{Offset: 1}); err != nil {
			t.Fatal(err)
		}
		w := open()
		page := before.pages.AllPages(before.id, push.PageUpload)[0]
		w.pages.SetPage(w.id, push.PageUpload, 0, page)
		if p, _ := wire.DecodeUploadPage(page); p.Last != lines {
			t.Fatalf("orphan has %d lines", p.Last)
		}
		return w
	}
	t.Run("with the same lines", func(t *testing.T) {
		t.Parallel()
		w := orphan(t, lines(1, 5), 5)
		res, err := room(t, w, 2).Upload(t.Context(), tenant, w.id, numbered(1, 8), batch.Options{Offset: 1})
		if err != nil || res.Skipped != 5 || res.Accepted != 3 || len(res.Faults) != 0 {
			t.Errorf("got %+v, %v", res, err)
		}
		if got := layout(w.stored(t)); got != "ggggg gg g" {
			t.Errorf("pages are %q", got)
		}
	})
	t.Run("with other lines", func(t *testing.T) {
		t.Parallel()
		w := orphan(t, lines(1, 1)+"{}\n\n"+lines(44, 44), 4)
		res, err := room(t, w, 2).Upload(t.Context(), tenant, w.id, numbered(1, 6), batch.Options{Offset: 1})
		if err != nil || res.Skipped != 4 || res.Accepted != 2 {
			t.Errorf("got %+v, %v", res, err)
		}
		var conflicts []int64
		for _, f := range res.Faults {
			if f.Code == push.FaultConflict {
				conflicts = append(conflicts, f.Line)
			}
		}
		if d := cmp.Diff([]int64{2, 3, 4}, conflicts); d != "" {
			t.Errorf("lines that differ: %s", d)
		}
	})
	t.Run("before appended ones", func(t *testing.T) {
		t.Parallel()
		w := orphan(t, lines(1, 3), 3)
		res, err := room(t, w, 2).Upload(t.Context(), tenant, w.id, strings.NewReader(lines(4, 6)+"{}\n"), batch.Options{})
		if err != nil || res.Accepted != 3 || res.Skipped != 0 || res.Faults[0].Line != 7 {
			t.Errorf("got %+v, %v", res, err)
		}
		if got := tokens(w.stored(t)); got != "t1 t2 t3 t4 t5 t6" {
			t.Errorf("recipients are %s", got)
		}
	})
	t.Run("that is not ours", func(t *testing.T) {
		t.Parallel()
		w := open()
		w.pages.SetPage(w.id, push.PageUpload, 0, []byte(`{"v":1,"type":"task"}`))
		_, err := room(t, w, 2).Upload(t.Context(), tenant, w.id, numbered(1, 2), batch.Options{})
		if !errors.Is(err, wire.ErrForeign) || w.progress().Pages != 0 {
			t.Errorf("got %v", err)
		}
	})
}

// Another upload may announce the first of our pages before we announce all.
func TestUploadOvertaken(t *testing.T) {
	t.Parallel()
	for _, o := range []batch.Options{{Offset: 1, AllOrNothing: true}, {AllOrNothing: true}} {
		w := open()
		w.meet = func() {
			w.change(func(p *push.Progress) { p.Version, p.Pages, p.Watermark, p.Sources = p.Version+1, 1, 2, 2 })
		}
		res, err := room(t, w, 2).Upload(t.Context(), tenant, w.id, numbered(1, 5), o)
		if want := (batch.Result{Accepted: 5, Watermark: 5}); err != nil || cmp.Diff(want, res) != "" {
			t.Errorf("got %+v, %v", res, err)
		}
		if got := layout(w.stored(t)); got != "gg gg g" {
			t.Errorf("pages are %q", got)
		}
	}
}

func TestUploadMeetsStart(t *testing.T) {
	t.Parallel()
	w := open()
	w.meet = func() {
		w.change(func(p *push.Progress) { p.Version, p.State = p.Version+1, push.StateAccepted })
	}
	res, err := room(t, w, 2).Upload(t.Context(), tenant, w.id, numbered(1, 5), batch.Options{Offset: 1})
	if e, ok := errors.AsType[*push.StateError](err); !ok || e.State != "accepted" || res.Watermark != 0 || res.Accepted != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
}
