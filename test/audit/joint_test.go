package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/push"
)

// open opens a data directory with a journal, as one of several processes on it.
func open(t *testing.T, dir string) (*sqlite.Store, *journal.Journal) {
	t.Helper()
	b, err := sqlite.Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := journal.LoadKeys(t.Context(), "", b.Store(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	j := journal.New(journal.Config{
		Store: b.Store(), Keys: keys, Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
	})
	t.Cleanup(func() {
		if err := j.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b.Store(), j
}

// entries returns how many entries of an action each id has.
func entries(t *testing.T, s *sqlite.Store, tenant, action string) map[string]int {
	t.Helper()
	of := map[string]int{}
	for from := int64(1); ; {
		found, err := s.AuditBlocks(t.Context(), tenant, from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			return of
		}
		for i := range found {
			for _, l := range found[i].Lines {
				var e audit.Entry
				if err := json.Unmarshal(l.Entry, &e); err != nil {
					t.Fatal(err)
				}
				if e.Action == action {
					of[e.Target.ID]++
				}
			}
			from = found[i].Head.Seq + 1
		}
	}
}

func entryOf(id, action string) audit.Entry {
	return audit.Entry{
		Tenant: "default", Time: time.Now(), Who: audit.Who{Name: "key:9f86d081"}, Action: action, Kind: audit.Change, Status: 202,
		Target: audit.Target{Kind: "notifications", ID: id},
	}
}

// Two processes accept at once, each notification twice, and record other calls beside: every notification has exactly one
// entry, of its acceptance, and the chain is whole.
func TestAcceptedWithItsEntry(t *testing.T) {
	t.Parallel()
	const each = 150
	dir := t.TempDir()
	var calls sync.WaitGroup
	var first *sqlite.Store
	for process := range 2 {
		s, j := open(t, dir)
		if first == nil {
			first = s
		}
		for n := range each {
			calls.Go(func() {
				id := push.DerivedID(push.PrefixNotification, "default", fmt.Sprint("key ", n)) // the other process has it, too
				created := push.Notification{
					ID: id, Tenant: "default", AcceptedAt: time.Now(), Progress: push.Progress{Version: 1, State: push.StateAccepted},
				}
				if _, _, err := s.CreateRecorded(t.Context(), created, j, entryOf(string(id), "createNotification")); err != nil {
					t.Errorf("create: %v", err)
				}
			})
			calls.Go(func() {
				if err := j.Record(t.Context(), entryOf(fmt.Sprint(process, "-", n), "cancelNotification")); err != nil {
					t.Errorf("record: %v", err)
				}
			})
		}
	}
	calls.Wait()
	accepted, cancelled := entries(t, first, "default", "createNotification"), entries(t, first, "default", "cancelNotification")
	if len(accepted) != each || len(cancelled) != 2*each {
		t.Errorf("entries of %d acceptances and %d other calls; want %d and %d", len(accepted), len(cancelled), each, 2*each)
	}
	for id, n := range accepted {
		if n != 1 {
			t.Errorf("%s has %d entries", id, n)
		}
		if _, err := first.Notification(t.Context(), push.ID(id)); err != nil {
			t.Errorf("an entry of what there is not: %v", err)
		}
	}
	for id, n := range cancelled {
		if n != 1 {
			t.Errorf("%s has %d entries", id, n)
		}
	}
	if got := run("audit", "verify", "--data", dir); got.Code != 0 {
		t.Errorf("verify ends with %d:\n%s%s", got.Code, got.Out, got.Err)
	}
}

// What cannot be recorded is not accepted, and hinders nobody else.
func TestNotAcceptedWithoutItsEntry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, j := open(t, dir)
	change(t, dir, func(exec func(string, ...any), _ *sql.DB) {
		exec(`CREATE TRIGGER refuse BEFORE INSERT ON audit_block WHEN NEW.tenant = 'other' BEGIN SELECT RAISE(ABORT, 'no'); END`)
	})
	var calls sync.WaitGroup
	var ids []push.ID
	for n := range 40 {
		id, tenant := push.NewID(push.PrefixNotification), "default"
		if n%4 == 0 {
			tenant = "other"
		}
		ids = append(ids, id)
		calls.Go(func() {
			e := entryOf(string(id), "createNotification")
			e.Tenant = tenant
			n := push.Notification{ID: id, Tenant: tenant, AcceptedAt: time.Now(), Progress: push.Progress{Version: 1, State: push.StateAccepted}}
			if _, created, err := s.CreateRecorded(t.Context(), n, j, e); created == (tenant == "other") || (err == nil) != created {
				t.Errorf("created for tenant %s: %t (%v)", tenant, created, err)
			}
		})
	}
	calls.Wait()
	accepted := entries(t, s, "default", "createNotification")
	for n, id := range ids {
		_, err := s.Notification(t.Context(), id)
		if refused := n%4 == 0; (err != nil) != refused || (accepted[string(id)] == 1) == refused {
			t.Errorf("notification %d: %v, and %d entries", n, err, accepted[string(id)])
		}
	}
	if len(accepted) != 30 {
		t.Errorf("%d entries, want 30", len(accepted))
	}
}
