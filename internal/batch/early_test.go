package batch_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// TestEarlyLife: what may be asked of a batch that was started before its
// upload was finished, and what an illegal request is told.
func TestEarlyLife(t *testing.T) {
	t.Parallel()
	cases := []struct {
		op       string
		from, to push.State // to is "" for a StateError
		early    bool       // afterwards
		tasks    int
		legal    []string
	}{
		{"start early", "accepted", "accepted", true, 0, nil},
		{"start early", "sending", "sending", true, 0, nil},
		{"start early", "paused", "", true, 0, []string{"upload", "start", "resume", "cancel"}},
		{"start", "accepted", "accepted", false, 0, nil}, // the chain of fanout sees it
		{"start", "sending", "sending", false, 0, nil},
		{"start", "paused", "paused", false, 1, nil}, // nothing may be left to resume
		{"pause", "accepted", "paused", true, 0, nil},
		{"pause", "paused", "paused", true, 0, nil},
		{"resume", "paused", "accepted", true, 1, nil},
		{"resume", "accepted", "accepted", true, 0, nil},
		{"cancel", "accepted", "cancelled", false, 1, nil},
		{"cancel", "paused", "cancelled", false, 1, nil},
	}
	for _, c := range cases {
		t.Run(c.op+" when "+string(c.from), func(t *testing.T) {
			t.Parallel()
			w := loaded(c.from, 2)
			w.plan(2, push.CodeSent) // all there is so far
			w.change(func(p *push.Progress) { p.Early = true })
			before := w.progress()
			_, err := operations[c.op](room(t, w, 0), t.Context(), tenant, w.id)
			p := w.progress()
			if e, ok := errors.AsType[*push.StateError](err); c.to == "" && (!ok || !slices.Equal(e.Legal, c.legal) || p != before) ||
				c.to != "" && err != nil {
				t.Errorf("got %v (%+v)", err, e)
			}
			if c.to != "" && p.State != c.to || p.Early != c.early || len(w.tasks(t)) != c.tasks || !p.Enqueued || p.StartedAt != before.StartedAt {
				t.Errorf("progress %+v, %d tasks", p, len(w.tasks(t)))
			}
			if raised := p.Generation > before.Generation; raised != (c.op == "resume" && c.from == "paused") {
				t.Errorf("generation %d after %d", p.Generation, before.Generation)
			}
		})
	}
}

// TestEarlyUpload: lines come in after an early start, also while the batch is
// paused, and no longer when the upload was declared finished.
func TestEarlyUpload(t *testing.T) {
	t.Parallel()
	w := open()
	b := room(t, w, 3)
	upload := func(from, to int64) error {
		_, err := b.Upload(t.Context(), tenant, w.id, numbered(from, to), batch.Options{})
		return err
	}
	move := func(op string) {
		t.Helper()
		if _, err := operations[op](b, t.Context(), tenant, w.id); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
	move("start early")
	started := w.progress().StartedAt
	if err := errors.Join(upload(1, 4), upload(3, 5)); err != nil {
		t.Fatal(err)
	}
	w.plan(w.progress().Pages, push.CodeSent)
	move("pause")
	if err := upload(6, 9); err != nil {
		t.Fatal(err)
	}
	move("resume")
	move("start")
	e, ok := errors.AsType[*push.StateError](upload(10, 10))
	if !ok || e.State != "accepted" || e.Op != "upload" || cmp.Diff([]string{"pause", "cancel"}, e.Legal) != "" {
		t.Errorf("an upload after its end: %+v", e)
	}
	if got := tokens(w.stored(t)); got != "t1 t2 t3 t4 t3 t4 t5 t6 t7 t8 t9" || w.progress().Duplicates != 2 ||
		w.progress().StartedAt != started {
		t.Errorf("%s, progress %+v", got, w.progress())
	}
}

// TestEarlyEnds: a batch that got no recipients is completed when its upload is
// declared finished, and one that is finished while lines come in refuses them.
func TestEarlyEnds(t *testing.T) {
	t.Parallel()
	w := open()
	b := room(t, w, 3)
	for _, op := range []string{"start early", "start"} {
		if _, err := operations[op](b, t.Context(), tenant, w.id); err != nil {
			t.Fatal(err)
		}
		if s := w.progress().State; s == push.StateCompleted != (op == "start") {
			t.Errorf("after %s it is %s", op, s)
		}
	}
	w = open()
	b = room(t, w, 3)
	if _, err := b.StartEarly(t.Context(), tenant, w.id); err != nil {
		t.Fatal(err)
	}
	w.meet = func() { w.change(func(p *push.Progress) { p.Version, p.Early = p.Version+1, false }) }
	res, err := b.Upload(t.Context(), tenant, w.id, strings.NewReader(lines(1, 2)), batch.Options{Offset: 1})
	if _, ok := errors.AsType[*push.StateError](err); !ok || res.Accepted != 0 || w.progress().Sources != 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestEarlyState: with all that came so far settled, it is not completed.
func TestEarlyState(t *testing.T) {
	t.Parallel()
	n := push.Notification{Progress: push.Progress{State: push.StateAccepted, Pages: 1, Early: true, StartedAt: time.Unix(1, 0)}}
	c := ledger.Counts{PagesPlanned: 1}
	if s := ledger.StateOf(&n, &c); s != push.StateSending {
		t.Errorf("early: %s", s)
	}
	n.Progress.Early = false
	if s := ledger.StateOf(&n, &c); s != push.StateCompleted {
		t.Errorf("finished: %s", s)
	}
}
