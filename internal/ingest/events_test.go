package ingest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

func event(id, data string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/shop","type":"` + wire.EventRequested + `","traceparent":"` + trace +
		`","data":` + data + `}`
}

func sns(t *testing.T, kind, message string) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{"Type": kind, "TopicArn": "arn:aws:sns:x:1:y", "Message": message})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       string // verdict
		code       push.Code
		recorded   int
	}{
		{"a raw event", event("1", hello), "ack", 0, 1},
		{"wrapped by SNS", sns(t, "Notification", event("1", hello)), "ack", 0, 1},
		{"a bad wrapper", sns(t, "UnsubscribeConfirmation", "bye"), "dead", push.CodeUndecodable, 0},
		{"a wrapper around nothing", sns(t, "Notification", ""), "dead", push.CodeUndecodable, 0},
		{"not JSON", "hello", "dead", push.CodeUndecodable, 0},
		{"no CloudEvent", `{"to":{}}`, "dead", push.CodeUndecodable, 0},
		{"a bad request", event("1", `{"to":{"tokens":["secret-token-1234"]},"message":{"colour":1}}`), "dead", push.CodePayloadInvalid, 0},
		{"a batch's request", event("1", urgent), "dead", push.CodePayloadInvalid, 0},
		{"a check", event("1", strings.Replace(hello, `"ttl"`, `"validate_only":true,"ttl"`, 1)), "ack", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
			v := e.Handle(t.Context(), worker.Message{ID: "m", Body: []byte(c.body)}, nil)
			if !sameVerdict(v, c.want, c.code) || len(r.recorded()) != c.recorded {
				t.Errorf("verdict %s (%+v), %d recorded", v, v, len(r.recorded()))
			}
			for _, n := range r.recorded() {
				if n.Tenant != "acme" || n.TraceParent != trace || !n.Keyed || n.Sender != "/shop" {
					t.Errorf("recorded %+v", n)
				}
			}
		})
	}
}

// An event that is only checked is logged: it goes nowhere, and nobody reads an answer.
func TestCheckedEventsAreLogged(t *testing.T) {
	t.Parallel()
	check := strings.Replace(hello, `"ttl"`, `"validate_only":true,"ttl"`, 1)
	for body, want := range map[string]int{event("1", hello): 0, event("1", check): 1} {
		r := setup(t)
		core, logs := observer.New(zap.WarnLevel)
		v := ingest.NewEvents(r.intake, "acme", r.audit, zap.New(core)).Handle(t.Context(), worker.Message{ID: "m", Body: []byte(body)}, nil)
		if got := logs.FilterMessageSnippet("validate_only").Len(); v.String() != "ack" || got != want || len(r.recorded()) != 1-want {
			t.Errorf("%s: %s, %d lines, %d recorded", body, v, got, len(r.recorded()))
		}
	}
}

// An event that is probably not what its sender meant is logged: nobody reads an
// answer.
func TestEventsWarn(t *testing.T) {
	t.Parallel()
	r := setup(t)
	core, logs := observer.New(zap.WarnLevel)
	e := ingest.NewEvents(r.intake, "acme", r.audit, zap.New(core))
	e.Handle(t.Context(), worker.Message{ID: "m", Body: []byte(event("1", strings.Replace(hello, "Hi", "Hi {{name}}", 1)))}, nil)
	got := logs.FilterField(zap.String("pointer", "/data/message/notification/title")).FilterField(zap.String("code", "placeholder"))
	if got.Len() != 1 {
		t.Errorf("got %v", logs.All())
	}
}

// sameVerdict looks at a dead letter's code as well.
func sameVerdict(v worker.Verdict, word string, code push.Code) bool {
	return v.String() == word && v.Code() == code
}

func TestEventsTwice(t *testing.T) {
	t.Parallel()
	r := setup(t)
	e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
	handle := func(body string) string {
		return e.Handle(t.Context(), worker.Message{ID: "m", Body: []byte(body)}, nil).String()
	}
	if got := handle(event("1", hello)) + handle(sns(t, "Notification", event("1", hello))); got != "ackack" || len(r.recorded()) != 1 {
		t.Errorf("%s, %d recorded for one event", got, len(r.recorded()))
	}
	if got := handle(event("1", strings.Replace(hello, "Hi", "Ho", 1))); got != "dead" {
		t.Errorf("the same event with another request: %s", got)
	}
	if got := handle(event("2", hello)); got != "ack" || len(r.recorded()) != 2 {
		t.Errorf("%s, %d recorded for two events", got, len(r.recorded()))
	}
}

func TestEventsWaitForTheLedger(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.away = true
	e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
	if v := e.Handle(t.Context(), worker.Message{Body: []byte(event("1", hello))}, nil); v.String() != "retry" {
		t.Errorf("verdict %s", v)
	}
}
