package fanout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// TestBatch: pages are spread over tasks of their own, and a check completes
// the whole when every line is closed.
func TestBatch(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.batch(t, tokens(1, 700), tokens(701, 3), nil)
	if v := r.plan(n.ID); v.word != "ack" || len(r.ledger.AllLines()) != 0 {
		t.Fatalf("%+v, %d lines", v, len(r.ledger.AllLines()))
	}
	var delays []time.Duration
	for _, m := range r.tasks.All() {
		delays = append(delays, m.Delay)
	}
	if diff := cmp.Diff([]time.Duration{0, 0, 0, 2 * time.Second}, delays); diff != "" {
		t.Fatalf("tasks (-want +got):\n%s", diff)
	}
	r.tasks.TakeAll()
	checks := r.run(t, n.ID)
	want := wire.Task{Op: wire.OpCheck, Notification: n.ID, Page: wire.AllPages, TraceParent: trace}
	if diff := cmp.Diff([]wire.Task{want}, checks); diff != "" {
		t.Fatalf("checks (-want +got):\n%s", diff)
	}
	if len(chunks(r.bulk)) != 3 || len(r.ledger.AllLines()) != 4 {
		t.Fatalf("%d chunks, %d lines; the page without recipients has a line only", r.bulk.Len(), len(r.ledger.AllLines()))
	}

	v := r.handle(checks[0])
	next, err := wire.DecodeTask([]byte(v.body))
	if v.word != "retry" || v.after != 4*time.Second || err != nil || next.Turn != 1 || next.TraceParent != trace {
		t.Fatalf("check of an open batch: %+v, %+v, %v", v, next, err)
	}
	r.closeAll(t)
	r.now = t0.Add(time.Hour)
	if v := r.handle(next); v.word != "ack" || r.head(n.ID).Progress.State != push.StateCompleted ||
		!r.head(n.ID).Progress.CompletedAt.Equal(r.now) {
		t.Errorf("check of a batch that is done: %+v, %+v", v, r.head(n.ID).Progress)
	}
	if v := r.handle(next); v.word != "ack" || len(r.done) != 1 {
		t.Errorf("%+v, completion told %d times", v, len(r.done))
	}
}

// closeAll ends every line as deliver would.
func (r *rig) closeAll(tb testing.TB) {
	tb.Helper()
	for _, l := range r.ledger.AllLines() {
		if l.State == ledger.StateClosed {
			continue
		}
		l, err := l.Claim("d", l.Turn, t0.Add(time.Hour))
		if err != nil {
			tb.Fatal(err)
		}
		for i := range l.Cells {
			l.Settle(i, push.CodeSent, false)
		}
		r.ledger.PutLine(l.Close(t0))
	}
}

// TestAllRefused: a batch of which every line was refused completes, with one
// page or with several.
func TestAllRefused(t *testing.T) {
	t.Parallel()
	for _, pages := range [][][]push.Recipient{{nil}, {nil, nil}, {}} {
		r := setup(t)
		n := r.batch(t, pages...)
		for _, c := range r.run(t, n.ID) {
			r.handle(c)
		}
		if r.head(n.ID).Progress.State != push.StateCompleted || r.bulk.Len() != 0 || len(r.done) != 1 {
			t.Errorf("%d pages: %+v, %d chunks", len(pages), r.head(n.ID).Progress, r.bulk.Len())
		}
	}
}

// TestSourcesAddUp: whatever users resolve to and wherever it is cut, the lines
// account for every source once, and for every row.
func TestSourcesAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := setup(t)
		var pages [][]push.Recipient
		line, sources := int64(0), int64(0)
		for range rapid.IntRange(1, 3).Draw(rt, "pages") {
			var rs []push.Recipient
			for range rapid.IntRange(0, 60).Draw(rt, "rows") {
				line += int64(rapid.IntRange(1, 3).Draw(rt, "gap"))
				rs = append(rs, push.Recipient{UserID: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "user"), Line: line})
			}
			sources += int64(len(rs))
			pages = append(pages, rs)
		}
		rows := map[string]int{"a": 0, "b": 1, "c": 17, "d": 40}
		for user, n := range rows {
			for i := range n {
				r.device(push.ID(user+"-"+strings.Repeat("i", i)), user, user+"-"+strings.Repeat("x", 40+i), t0)
			}
		}
		n := r.batch(t, pages...)
		r.run(t, n.ID)
		counts, err := r.ledger.Counts(t.Context(), n.ID)
		if err != nil || counts.Sources != sources || counts.PagesPlanned != len(pages) {
			rt.Fatalf("%d of %d sources, %d of %d pages (%v)", counts.Sources, sources, counts.PagesPlanned, len(pages), err)
		}
		if err := counts.Balance(sources); err != nil {
			rt.Fatal(err)
		}
		want := 0
		for _, rs := range pages {
			for i := range rs {
				want += max(1, rows[rs[i].UserID])
			}
		}
		if counts.Recipients != int64(want) {
			rt.Fatalf("%d rows, want %d", counts.Recipients, want)
		}
	})
}

func TestUnexpandable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(r *rig)
	}{
		{"an upload page is missing", func(r *rig) { r.pages.ForgetPage(batID, push.PageUpload, 0) }},
		{"an upload page is broken", func(r *rig) { r.pages.SetPage(batID, push.PageUpload, 0, []byte("{")) }},
		{"it resolves to too much", func(r *rig) {
			for i := range 400 {
				r.device(push.ID(strings.Repeat("i", 1+i)), "u", strings.Repeat("x", push.MaxAddressBytes-400+i), t0)
			}
		}},
		{"it was planned otherwise", func(r *rig) {
			ref := push.ChunkRef{Notification: batID}
			r.ledger.PutPlan(ledger.Plan{Ref: ref})
			r.ledger.PutLine(ledger.Line{Ref: ref, Cells: make([]ledger.Cell, 3), Last: true})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			var users []push.Recipient
			for i := range 20 {
				users = append(users, push.Recipient{UserID: "u", Line: int64(i) + 1})
			}
			n := r.batch(t, users)
			c.spoil(r)
			v := r.plan(n.ID)
			p := r.head(n.ID).Progress
			if v.word != "dead" || v.code != push.CodeUnexpandable || p.State != push.StateDeadLettered || p.CompletedAt.IsZero() ||
				r.bulk.Len() != 0 {
				t.Errorf("%+v, %+v, %d chunks", v, p, r.bulk.Len())
			}
			if v := r.plan(n.ID); v.word != "ack" {
				t.Errorf("again: %+v", v)
			}
			if v := r.redriven(n.ID); v.word != "dead" || v.code != push.CodeUnexpandable || r.head(n.ID).Progress.State != push.StateDeadLettered {
				t.Errorf("moved back by its queue's redrive, it is not tried again: %+v", v)
			}
		})
	}
	r := setup(t)
	if v := r.plan(ntfID); v.word != "dead" || v.code != push.CodeUnexpandable {
		t.Errorf("no notification: %+v", v)
	}
	n := r.batch(t, tokens(1, 1))
	if v := r.handle(wire.Task{Op: wire.OpPlan, Notification: n.ID, Page: 1}); v.word != "dead" ||
		r.head(n.ID).Progress.State != push.StateAccepted {
		t.Errorf("a page too many: %+v, %+v", v, r.head(n.ID).Progress)
	}
	if v := look(r.Handle(t.Context(), worker.Message{Body: []byte("{}")}, nil)); v.word != "dead" || v.code != push.CodeUndecodable {
		t.Errorf("no task: %+v", v)
	}
}

// TestRedriven: a task that was moved back when its cause was mended is planned.
func TestRedriven(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.batch(t, tokens(1, 20))
	page := r.pages.AllPages(n.ID, push.PageUpload)[0]
	r.pages.ForgetPage(n.ID, push.PageUpload, 0)
	if v := r.plan(n.ID); v.word != "dead" {
		t.Fatalf("%+v", v)
	}
	r.pages.SetPage(n.ID, push.PageUpload, 0, page)
	if v := r.redriven(n.ID); v.word != "ack" || r.bulk.Len() == 0 || r.head(n.ID).Progress.State != push.StateAccepted {
		t.Errorf("%+v, %d chunks, %+v", v, r.bulk.Len(), r.head(n.ID).Progress)
	}
	if v := r.redriven(ntfID); v.word != "dead" || v.code != push.CodeUnexpandable {
		t.Errorf("no notification: %+v", v)
	}
}

// TestNewerPage: what a newer version wrote is waited for.
func TestNewerPage(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := r.batch(t, tokens(1, 1))
	r.pages.SetPage(n.ID, push.PageUpload, 0, []byte(`{"v":2,"type":"recipients","values":{"packed":true}}`))
	if v := r.plan(n.ID); v.word != "retry" || r.head(n.ID).Progress.State != push.StateAccepted {
		t.Errorf("%+v", v)
	}
}
