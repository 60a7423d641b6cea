package ingest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// What comes from the queue is in the audit log before the queue is told: who sent it, which notification it became, and
// a digest of it; what is refused as well, without its text.
func TestEventsAreAudited(t *testing.T) {
	t.Parallel()
	r := setup(t)
	e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
	handle := func(body string) string {
		return e.Handle(t.Context(), worker.Message{ID: "m", Body: []byte(body)}, nil).String()
	}
	r.audit.shut = errAway
	if got := handle(event("1", hello)); got != "retry" || len(r.recorded()) != 0 {
		t.Errorf("without the audit log: %s, %d recorded", got, len(r.recorded()))
	}
	r.audit.shut, r.audit.bad = nil, errAway
	if got := handle(event("1", hello)); got != "retry" || len(r.recorded()) != 1 {
		t.Errorf("with an audit log that fails: %s, %d recorded", got, len(r.recorded()))
	}
	r.audit.bad = nil
	bad := event("2", `{"to":{"tokens":["secret-token-1234"]},"message":{"colour":1}}`)
	if got := handle(event("1", hello)) + handle(bad); got != "ackdead" {
		t.Error(got)
	}
	want := []audit.Entry{
		{Target: audit.Target{Kind: "events", ID: string(r.recorded()[0].ID)}},
		{Target: audit.Target{Kind: "events"}, Code: "payload.invalid"},
	}
	for i := range want {
		want[i].Tenant, want[i].Who.Name, want[i].From = "acme", "/shop", "queue events"
		want[i].Action, want[i].Kind = "publishEvent", audit.Change
	}
	for i := range r.audit.entries {
		got := &r.audit.entries[i]
		if got.Time.IsZero() || !strings.HasPrefix(got.Body, "sha256:") {
			t.Errorf("entry %+v", got)
		}
		got.Time, got.Body = want[0].Time, ""
	}
	if d := cmp.Diff(want, r.audit.entries); d != "" || r.audit.offered != 1 {
		t.Errorf("offered %d: %s", r.audit.offered, d)
	}
}

// witness stores a notification together with its entry.
type witness struct {
	ledger  ingest.Recorder
	entries []audit.Entry
	bad     error
}

func (w *witness) CreateRecorded(ctx context.Context, n push.Notification, e audit.Entry) (push.Notification, bool, error) {
	if w.bad != nil {
		return push.Notification{}, false, w.bad
	}
	stored, created, err := w.ledger.Create(ctx, n)
	if err == nil && created {
		w.entries = append(w.entries, e)
	}
	return stored, created, err
}

// Where a store can, an event is stored in one transaction with its entry and is not recorded once more. One that comes
// again is an entry of its own, as a repeat over the API is.
func TestEventsJoinTheirEntry(t *testing.T) {
	t.Parallel()
	r := setup(t)
	w := &witness{ledger: r.ledger, bad: errAway}
	e := ingest.NewEvents(r.intake.Before(w), "acme", r.audit, r.log)
	handle := func() string {
		return e.Handle(t.Context(), worker.Message{ID: "m", Body: []byte(event("1", hello))}, nil).String()
	}
	if got := handle(); got != "retry" || len(r.recorded()) != 0 || len(r.audit.entries) != 0 {
		t.Errorf("a transaction that fails: %s, %d recorded, %d entries", got, len(r.recorded()), len(r.audit.entries))
	}
	w.bad = nil
	if got := handle(); got != "ack" || len(r.recorded()) != 1 || len(r.audit.entries) != 0 {
		t.Fatalf("joined: %s, %d recorded, %d entries beside", got, len(r.recorded()), len(r.audit.entries))
	}
	id := string(r.recorded()[0].ID)
	if len(w.entries) != 1 || w.entries[0].Action != "publishEvent" || w.entries[0].Target.ID != id || w.entries[0].Tenant != "acme" ||
		w.entries[0].From != "queue events" {
		t.Errorf("joined %+v", w.entries)
	}
	if got := handle(); got != "ack" || len(w.entries) != 1 || len(r.audit.entries) != 1 || r.audit.entries[0].Target.ID != id {
		t.Errorf("again: %s, %d joined, beside them %+v", got, len(w.entries), r.audit.entries)
	}
}
