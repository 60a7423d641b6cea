package db_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/devices"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/documents"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	idempotencystore "github.com/belfry-push/belfry/internal/adapter/sqlite/idempotency"
	ledgerstore "github.com/belfry-push/belfry/internal/adapter/sqlite/ledger"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/letters"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/pages"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// stores are all that live in store.db, and the pages.
type (
	ledgers = ledgerstore.Store
	records = idempotencystore.Store
	stores  struct {
		*ledgers
		*devices.Store
		*records
		documents *documents.Store
		pages     *pages.Store
		letters   *letters.Store
		file      *db.DB
	}
)

func openStores(t *testing.T) *stores {
	t.Helper()
	var steps []db.Migration
	for i, schema := range []string{
		ledgerstore.SchemaNotifications, ledgerstore.SchemaLines, ledgerstore.SchemaSuspects, ledgerstore.SchemaUnfinished,
		ledgerstore.SchemaFirst, ledgerstore.SchemaRetired, ledgerstore.SchemaKeep,
		devices.Schema, devices.SchemaSeen, idempotencystore.Schema, documents.Schema, pages.Schema, letters.Schema,
	} {
		steps = append(steps, db.Migration{Version: i + 1, SQL: schema})
	}
	file := drivertest.Open(t, steps)
	return &stores{
		ledgerstore.New(file), devices.New(file), idempotencystore.New(file), documents.New(file), pages.New(file), letters.New(file), file,
	}
}

// everyOperation makes both connections of the store prepare every statement
// that it has.
func everyOperation(t *testing.T, s *stores) {
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
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	n := push.Notification{
		ID: push.NewID(push.PrefixNotification), Tenant: "tenant", AcceptedAt: at,
		Progress: push.Progress{State: push.StateAccepted, Sources: 1, Pages: 1},
	}
	for range 2 {
		_, _, err := s.Create(ctx, n)
		must(err)
	}
	must(s.Advance(ctx, n.ID, push.Progress{Version: 1, State: push.StateAccepted}))
	_, err := s.Notification(ctx, n.ID)
	_, _, listed := s.Notifications(ctx, "tenant", "", 1)
	_, _, further := s.Notifications(ctx, "tenant", rows.Cursor("notifications", "1", "x"), 1)
	_, waiting := s.Unenqueued(ctx, time.Now(), 10)
	_, _, open := s.Unfinished(ctx, time.Now(), "", 10)
	_, _, others := s.Unfinished(ctx, time.Now(), rows.Cursor("unfinished", "1", "x"), 10)
	must(err, listed, further, waiting, open, others)

	ref := push.ChunkRef{Notification: n.ID}
	for range 2 {
		_, err = s.Plan(ctx, []ledger.Plan{{Ref: ref, Tenant: n.Tenant, Sources: 1, Hashes: make([]uint64, 1), Cells: make([]ledger.Cell, 1)}},
			at)
		must(err)
	}
	line, err := s.Line(ctx, ref)
	must(err, s.SaveLine(ctx, line, 0, []ledger.Attempt{{}}))
	_, lines := s.Lines(ctx, n.ID, 0, 1)
	_, plans := s.Plans(ctx, n.ID, 0, 1)
	_, attempts := s.Attempts(ctx, ref)
	_, counts := s.Counts(ctx, n.ID)
	must(lines, plans, attempts, counts)

	_, keeps := s.Keeps(ctx)
	aged, err := s.Aged(ctx, 0, "", 10)
	_, retire := s.Retire(ctx, aged, at)
	_, retired := s.Retired(ctx, at, 10)
	_, erase := s.Erase(ctx, []push.ID{n.ID}, 10)
	_, stored := s.pages.PutPage(ctx, n.ID, push.PageUpload, 0, nil)
	_, _, owners := s.pages.PageOwners(ctx, 0, 10)
	_, removed := s.pages.RemovePages(ctx, n.ID, 10)
	must(err, keeps, retire, retired, erase, stored, owners, removed)
	_, put := s.letters.PutLetters(ctx, []push.Letter{{
		ID: push.NewID(push.PrefixDeadLetter), Notification: n.ID, State: push.LetterReplayed, Replay: push.NewID(push.PrefixReplay), MovedAt: at,
	}})
	_, has := s.letters.HasLetters(ctx, n.ID)
	_, done := s.letters.PurgeLetters(ctx, at.Add(time.Hour), 10)
	must(put, has, done)

	d, other := device(1), device(2)
	must(s.PutDevices(ctx, []push.Device{d}), s.PutDevices(ctx, []push.Device{d}),
		s.RecordDevices(ctx, other.Tenant, []push.DeviceNote{{Address: other.Address}}))
	d.UserID = "another"
	must(s.PutDevices(ctx, []push.Device{d}))
	_, noted := s.NoteDevices(ctx, d.Tenant, []push.DeviceNote{{Address: d.Address, Code: push.CodeSent, At: time.Now()}})
	_, byUser := s.DevicesByUser(ctx, d.Tenant, []string{d.UserID})
	_, byID := s.DevicesByID(ctx, d.Tenant, []push.ID{d.ID})
	_, restored := s.RestoreDevice(ctx, d.Tenant, d.ID)
	_, purged := s.PurgeQuarantined(ctx, time.Now(), 10)
	must(noted, byUser, byID, restored, purged)
	for _, user := range []string{"", d.UserID} {
		for _, after := range []string{"", rows.Cursor("devices", "x")} {
			_, _, err := s.Devices(ctx, d.Tenant, user, after, 10)
			must(err)
		}
	}
	must(s.DeleteDevice(ctx, d.Tenant, d.ID))

	r := idempotency.Record{Tenant: "tenant", Key: "key", Holder: "holder", LeaseUntil: at, ExpiresAt: at}
	for range 2 {
		_, _, err := s.Reserve(ctx, r, at.Add(-time.Second))
		must(err)
	}
	_, expired := s.PurgeExpired(ctx, at.Add(-time.Hour), 10)
	must(s.Complete(ctx, r), s.Release(ctx, r), expired)

	doc := document.Document{Kind: "kind", Name: "name", Version: 1}
	must(s.documents.PutDocument(ctx, doc))
	doc.Version = 2
	_, _, documents := s.documents.Documents(ctx, "kind", "", 10)
	must(s.documents.PutDocument(ctx, doc), documents, s.documents.DeleteDocument(ctx, "kind", "name", 2))
}

func device(i int) push.Device {
	name := strconv.Itoa(i)
	return push.Device{
		Tenant: "tenant", ID: push.ID("dev-" + name), Address: push.Address{Kind: push.KindToken, Value: push.Token("token-" + name)},
		UserID: "user-" + name, State: push.DeviceActive,
	}
}

// TestEveryStatementUsesAnIndex: the planner decides without statistics, and
// what it decides wrongly shows only in tables that no test fills.
func TestEveryStatementUsesAnIndex(t *testing.T) {
	t.Parallel()
	s := openStores(t)
	everyOperation(t, s)
	texts, err := s.file.Prepared(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) < 30 {
		t.Fatalf("only %d statements: the connections keep them elsewhere now", len(texts))
	}
	for _, text := range texts {
		verb, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, verb) || strings.Contains(text, "migration") {
			continue
		}
		for _, step := range planOf(t, s.file.Read(), text) {
			scan := strings.HasPrefix(step, "SCAN ") && !strings.Contains(step, "VIRTUAL TABLE") && step != "SCAN CONSTANT ROW"
			// Of one tenant's devices, only the listing of all may walk through all.
			walk := strings.HasPrefix(step, "SEARCH device ") && strings.HasSuffix(step, "(tenant=?)") &&
				!strings.Contains(text, "WHERE tenant = ? ORDER BY id LIMIT ?")
			if scan || walk || strings.Contains(step, "TEMP B-TREE") && !strings.Contains(text, "device_by_user") {
				t.Errorf("%s\n\tfor %s", step, text)
			}
		}
	}
}

func planOf(t *testing.T, q rows.Querier, text string) []string {
	t.Helper()
	steps, err := rows.Collect(context.Background(), q, func(row rows.Scanner) (string, error) {
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
