package ingest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/ingest"
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
