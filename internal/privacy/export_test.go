package privacy_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
)

// export returns the rows of an export by what they are.
func (w *world) export(id push.ID) (rows map[string]int, receipt *privacy.Receipt, err error) {
	w.Helper()
	rows = map[string]int{}
	err = w.Export(w.Context(), "acme", id, func(r privacy.Row) error {
		switch {
		case r.Device != nil:
			rows["device"]++
		case r.Delivery != nil:
			rows[r.Delivery.Code.String()]++
		case r.Letter != nil:
			rows["letter"]++
		}
		receipt = r.Receipt
		return nil
	})
	return rows, receipt, err
}

// TestExport hands out what an erasure would remove, as often as it is asked for, and changes nothing.
func TestExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		want := populate(w)
		open := w.inline("acme", push.CodeOpen, "a1")
		before := w.dump("acme")
		q, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Export, Subject: privacy.Subject{UserID: "alice"}})
		w.must(err)
		for range 2 {
			rows, receipt, err := w.export(q.ID)
			w.must(err)
			if rows["device"] != 2 || rows["letter"] != 2 || rows["sent"] != 4 || rows["no_device"] != 1 || rows["open"] != 1 {
				t.Errorf("rows: %v", rows)
			}
			got := receipt.Counts
			if got.Deliveries != want.Deliveries+1 || got.Open != 1 || got.DeadLetters != want.DeadLetters || got.Tombstones != 0 {
				t.Errorf("counts: %+v", got)
			}
		}
		stop := errors.New("hung up")
		if err := w.Export(t.Context(), "acme", q.ID, func(privacy.Row) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("the caller's error is lost: %v", err)
		}
		_, _, err = w.export("prv_none")
		if !errors.Is(err, push.ErrNotFound) {
			t.Errorf("an unknown export: %v", err)
		}
		if now := w.dump("acme"); len(now) < len(before) {
			t.Error("an export has removed something")
		}
		w.ledger.ForgetLine(push.ChunkRef{Notification: open.ID}) // planned, and the line not there yet
		if rows, _, err := w.export(q.ID); err != nil || rows["open"] != 1 {
			t.Errorf("without the line: %v, %v", rows, err)
		}

		// An erasure ends it, and forgets whom it was about.
		e, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{UserID: "alice"}})
		w.must(err)
		w.execute("acme", e.ID)
		ended := (*push.StateError)(nil)
		if _, _, err := w.export(q.ID); !errors.As(err, &ended) {
			t.Errorf("after the erasure: %v", err)
		}
		q, err = w.Get(t.Context(), "acme", q.ID)
		if err != nil || q.State != privacy.StateExpired || q.Subject.UserID != "" || len(q.Found) > 0 {
			t.Errorf("the export is %+v, %v", q, err)
		}
	})
}

// TestExecutorTidies: exports expire, and what a process was about to take when it died goes.
func TestExecutorTidies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		q, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Export, Subject: privacy.Subject{UserID: "alice"}})
		w.must(err)
		w.must(document.Save(t.Context(), &w.docs, "privacy-pending", "prv_orphan", 1, map[string]any{"at": time.Now()}, time.Now()))
		ctx, stop := context.WithTimeout(t.Context(), privacy.ExportKept+time.Minute)
		defer stop()
		w.Execute(ctx)
		if q, err = w.Get(t.Context(), "acme", q.ID); err != nil || q.State != privacy.StateExpired || q.Subject.UserID != "" {
			t.Errorf("the export is %+v, %v", q, err)
		}
		if ds, _, err := w.docs.Documents(t.Context(), "privacy-pending", "", 10); len(ds) != 0 || err != nil {
			t.Errorf("pending: %v, %v", ds, err)
		}
		if rs, next, err := w.List(t.Context(), "other", "", 10); len(rs) != 0 || next != "" || err != nil {
			t.Errorf("another tenant lists %v, %q, %v", rs, next, err)
		}
	})
}

// TestTakenOver: who executes an erasure and goes silent is replaced after fifteen seconds, and
// stops when it comes back.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		populate(w)
		q, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{UserID: "alice"}})
		w.must(err)
		w.must(document.Save(t.Context(), &w.docs, "privacy-pending", string(q.ID), 2, map[string]any{
			"owner": "dead", "action": "erase", "at": time.Now(),
		}, time.Now()))
		began := time.Now()
		w.execute("acme", q.ID)
		if took := time.Since(began); took < 15*time.Second || took > time.Minute {
			t.Errorf("taken over after %v", took)
		}
		gone(t, w)
	})
}

// TestUnplanned: who is not planned yet, or whose page is broken, is told of.
func TestUnplanned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := push.Notification{
			ID: push.NewID(push.PrefixNotification), Tenant: "acme", Target: push.Target{FIDs: []push.Token{token("f")}, DeviceIDs: nil},
			AcceptedAt: time.Now(), Message: push.Message(`{"notification":{"title":"Hi"}}`), Progress: push.Progress{Pages: 1, Sources: 1},
		}
		w.ledger.PutNotification(n)
		old := n
		old.ID, old.AcceptedAt = push.NewID(push.PrefixNotification), time.Now().Add(-time.Hour)
		w.ledger.PutNotification(old)
		b := push.Notification{ID: push.NewID(push.PrefixBatch), Tenant: "acme", AcceptedAt: time.Now(), Progress: push.Progress{Pages: 2}}
		w.ledger.PutNotification(b)
		w.pages.SetPage(b.ID, push.PageUpload, 0, []byte("no page"))
		topic := push.Notification{ID: push.NewID(push.PrefixNotification), Tenant: "acme", AcceptedAt: time.Now()}
		topic.Target.Topic = "news"
		w.ledger.PutNotification(topic)
		q, err := w.Start(t.Context(), privacy.Order{
			Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{FIDs: []push.Token{token("f")}, DeviceIDs: []push.ID{"gone"}},
			Since: time.Now().Add(-time.Minute),
		})
		w.must(err)
		q = w.execute("acme", q.ID)
		if want := (privacy.Counts{Notifications: 1, Deliveries: 1, Open: 1, Tombstones: 1, Skipped: 1}); q.Counts != want {
			t.Errorf("counts %+v, want %+v", q.Counts, want)
		}
		got, err := w.ledger.Notification(t.Context(), n.ID)
		w.must(err)
		if !push.IsErased(string(got.Target.FIDs[0])) || string(got.Message) != `{"notification":{"title":"(erased)"}}` {
			t.Errorf("left: %+v", got)
		}
		if got, err = w.ledger.Notification(t.Context(), old.ID); err != nil || got.Target.FIDs[0] != token("f") {
			t.Errorf("what is older than since: %+v, %v", got, err)
		}
	})
}
