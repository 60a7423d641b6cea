package ingest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// to is a request to so many tokens.
func to(n int) []byte {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%q", fmt.Sprint("token-", i))
	}
	return []byte(`{"to":{"tokens":[` + strings.Join(tokens, ",") + `]},"message":{"data":{}}}`)
}

// A repeat counts once, also when nothing is left; what is not recorded or only checked does not count.
func TestQuota(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.quotas.room = 10
	accept := func(key string, n int) (ingest.Accepted, error) {
		return r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Key: key, Body: to(n)})
	}
	for range 3 {
		if got, err := accept("a", 6); err != nil || got.Notification.Deferred || r.quotas.room != 4 {
			t.Fatalf("%v, room for %d", err, r.quotas.room)
		}
	}
	_, err := accept("b", 5)
	if over, ok := errors.AsType[*push.OverQuotaError](err); !ok || over.Wanted != 5 {
		t.Fatalf("%v", err)
	}
	r.quotas.room = 0
	if got, err := accept("a", 6); err != nil || !got.Replayed {
		t.Errorf("a repeat is over a quota: %v", err)
	}
	if _, err := accept("b", 5); err == nil || len(r.recorded()) != 1 || r.quotas.room != 0 {
		t.Errorf("%v, %d recorded, room for %d", err, len(r.recorded()), r.quotas.room)
	}
	r.quotas.room, r.away = 10, true
	if _, err := accept("c", 5); !errors.Is(err, errAway) || r.quotas.room != 10 {
		t.Errorf("%v: what was not recorded counts, room for %d", err, r.quotas.room)
	}
	r.away = false
	body := strings.Replace(string(to(5)), "{", `{"validate_only":true,`, 1)
	if _, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: []byte(body)}); err != nil || r.quotas.room != 10 {
		t.Errorf("%v: what is only checked counts, room for %d", err, r.quotas.room)
	}
}

// What is deferred is recorded as such, sent to be planned, and a repeat of it is one.
func TestDeferred(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.quotas.room, r.quotas.defers = 5, true
	submit := func() ingest.Accepted {
		got, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Key: "a", Body: to(6)})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := submit()
	if stored := r.stored(first.Notification.ID); !first.Notification.Deferred || !stored.Deferred || r.quotas.room != 5 {
		t.Errorf("%+v", stored)
	}
	if again := submit(); !again.Replayed || !again.Notification.Deferred || r.quotas.room != 5 {
		t.Errorf("%+v, room for %d", again, r.quotas.room)
	}
}

// An event over a quota waits on its queue and keeps its time; one that never fits is dead.
func TestEventsOverQuota(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.quotas.room = 3
	e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
	happened := time.Now().Add(-time.Hour)
	v := e.Handle(t.Context(), worker.Message{ID: "m", Body: []byte(event("1", string(to(5)))), SentAt: happened}, nil)
	if v.String() != "retry" || v.Wait() != time.Minute || !strings.Contains(string(v.Body()), happened.UTC().Format("2006-01-02T15:04")) {
		t.Errorf("%s after %v: %s", v, v.Wait(), v.Body())
	}
	never := worker.Message{ID: "m", Body: []byte(event("2", string(to(11))))}
	if v := e.Handle(t.Context(), never, nil); !sameVerdict(v, "dead", push.CodePayloadInvalid) {
		t.Errorf("%s (%s)", v, v.Detail())
	}
	r.quotas.room = 100
	if v := e.Handle(t.Context(), worker.Message{ID: "m", Body: v.Body()}, nil); v.String() != "ack" || len(r.recorded()) != 1 {
		t.Errorf("%s, %d recorded", v, len(r.recorded()))
	}
}
