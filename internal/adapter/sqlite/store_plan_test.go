package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// everyOperation makes both connections of the store prepare every statement
// that it has.
func everyOperation(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	n := benchNotification(push.NewID(push.PrefixNotification))
	for range 2 {
		_, _, err := s.Create(ctx, n)
		must(err)
	}
	must(s.Advance(ctx, n.ID, push.Progress{Version: 1, State: push.StateAccepted}))
	_, err := s.Notification(ctx, n.ID)
	_, _, listed := s.Notifications(ctx, "tenant", "", 1)
	_, _, further := s.Notifications(ctx, "tenant", cursor("notifications", "1", "x"), 1)
	_, waiting := s.Unenqueued(ctx, time.Now(), 10)
	_, _, open := s.Unfinished(ctx, time.Now(), "", 10)
	_, _, others := s.Unfinished(ctx, time.Now(), cursor("unfinished", "1", "x"), 10)
	must(err, listed, further, waiting, open, others)

	for range 2 {
		_, err = s.Plan(ctx, benchPlans(n.ID, 1), benchTime())
		must(err)
	}
	ref := push.ChunkRef{Notification: n.ID}
	line, err := s.Line(ctx, ref)
	must(err, s.SaveLine(ctx, line, 0, []ledger.Attempt{{}}))
	_, lines := s.Lines(ctx, n.ID, 0, 1)
	_, plans := s.Plans(ctx, n.ID, 0, 1)
	_, attempts := s.Attempts(ctx, ref)
	_, counts := s.Counts(ctx, n.ID)
	must(lines, plans, attempts, counts)

	d, other := benchDevice(1), benchDevice(2)
	must(s.PutDevices(ctx, []push.Device{d}), s.PutDevices(ctx, []push.Device{d}), s.RecordDevices(ctx, []push.Device{other}))
	d.UserID = "another"
	must(s.PutDevices(ctx, []push.Device{d}))
	_, noted := s.NoteDevices(ctx, d.Tenant, []push.DeviceNote{{Address: d.Address, Code: push.CodeSent, At: time.Now()}})
	_, byUser := s.DevicesByUser(ctx, d.Tenant, []string{d.UserID})
	_, byID := s.DevicesByID(ctx, d.Tenant, []push.ID{d.ID})
	_, restored := s.RestoreDevice(ctx, d.Tenant, d.ID)
	_, purged := s.PurgeQuarantined(ctx, time.Now(), 10)
	must(noted, byUser, byID, restored, purged)
	for _, user := range []string{"", d.UserID} {
		for _, after := range []string{"", cursor("devices", "x")} {
			_, _, err := s.Devices(ctx, d.Tenant, user, after, 10)
			must(err)
		}
	}
	must(s.DeleteDevice(ctx, d.Tenant, d.ID))

	r := idempotency.Record{Tenant: "tenant", Key: "key", Holder: "holder", LeaseUntil: benchTime(), ExpiresAt: benchTime()}
	for range 2 {
		_, _, err := s.Reserve(ctx, r, benchTime().Add(-time.Second))
		must(err)
	}
	_, expired := s.PurgeExpired(ctx, benchTime().Add(-time.Hour), 10)
	must(s.Complete(ctx, r), s.Release(ctx, r), expired)

	doc := document.Document{Kind: "kind", Name: "name", Version: 1}
	must(s.PutDocument(ctx, doc))
	doc.Version = 2
	_, _, documents := s.Documents(ctx, "kind", "", 10)
	must(s.PutDocument(ctx, doc), documents, s.DeleteDocument(ctx, "kind", "name", 2))
}

// TestEveryStatementUsesAnIndex: the planner decides without statistics, and
// what it decides wrongly shows only in tables that no test fills.
func TestEveryStatementUsesAnIndex(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	everyOperation(t, s)
	texts := append(preparedOn(t, s.main.read()), preparedOn(t, s.main.writer.conn)...)
	if len(texts) < 30 {
		t.Fatalf("only %d statements: the connections keep them elsewhere now", len(texts))
	}
	for _, text := range texts {
		verb, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, verb) || strings.Contains(text, "migration") {
			continue
		}
		for _, step := range planOf(t, s.main.read(), text) {
			scan := strings.HasPrefix(step, "SCAN ") && !strings.Contains(step, "VIRTUAL TABLE") && step != "SCAN CONSTANT ROW"
			// Of one tenant's devices, only the listing of all may walk through all.
			walk := strings.HasPrefix(step, "SEARCH device ") && strings.HasSuffix(step, "(tenant=?)") && !strings.Contains(text, "WHERE tenant = ? ORDER BY id LIMIT ?")
			if scan || walk || strings.Contains(step, "TEMP B-TREE") && !strings.Contains(text, "device_by_user") {
				t.Errorf("%s\n\tfor %s", step, text)
			}
		}
	}
}

// preparedOn returns the statements that a connection of the pool has prepared.
func preparedOn(t *testing.T, pool *sql.DB) []string {
	t.Helper()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var texts []string
	err = conn.Raw(func(c any) error {
		for text := range c.(*cachingConn).cached {
			texts = append(texts, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func planOf(t *testing.T, q querier, text string) []string {
	t.Helper()
	steps, err := collect(context.Background(), q, func(row scanner) (string, error) {
		var a, b, c int
		var step string
		err := row.Scan(&a, &b, &c, &step)
		return step, err
	}, "EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return steps
}
