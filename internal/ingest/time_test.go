package ingest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// within returns a request with a deadline that far away.
func within(d time.Duration, batch bool) string {
	to := `"to":{"tokens":["tok-a"]},`
	if batch {
		to = ""
	}
	return fmt.Sprintf(`{%s"message":{"notification":{"title":"Hi"}},"expires_at":%q}`, to, time.Now().Add(d).UTC().Format(time.RFC3339))
}

// A repeat with the same key is answered as the first was, however late it
// comes. Only what was never accepted is refused for its deadline.
func TestRepeatAfterTheDeadline(t *testing.T) {
	t.Parallel()
	for _, batch := range []bool{false, true} {
		r := setup(t)
		sub := ingest.Submission{Tenant: "acme", Key: "k", Body: []byte(within(time.Hour, batch)), Batch: batch}
		first, err := r.intake.Accept(t.Context(), sub)
		if err != nil {
			t.Fatal(err)
		}
		r.later = 2 * time.Hour
		again, err := r.intake.Accept(t.Context(), sub)
		if diff := cmp.Diff(first.Notification, again.Notification); err != nil || !again.Replayed || diff != "" {
			t.Errorf("batch %v: %v, replayed %v\n%s", batch, err, again.Replayed, diff)
		}
		for name, other := range map[string]ingest.Submission{
			"no key":         {Tenant: "acme", Body: sub.Body, Batch: batch},
			"another key":    {Tenant: "acme", Key: "k2", Body: sub.Body, Batch: batch},
			"another tenant": {Tenant: "bcme", Key: "k", Body: sub.Body, Batch: batch},
			"another body":   {Tenant: "acme", Key: "k", Body: []byte(within(90*time.Minute, batch)), Batch: batch},
			"another kind":   {Tenant: "acme", Key: "k", Body: []byte(within(time.Hour, !batch)), Batch: !batch},
		} {
			if _, err := r.intake.Accept(t.Context(), other); !errors.As(err, new(push.Faults)) {
				t.Errorf("batch %v, %s: %v, want faults", batch, name, err)
			}
		}
		r.away = true
		if _, err := r.intake.Accept(t.Context(), sub); !errors.Is(err, errAway) {
			t.Errorf("batch %v: %v while the ledger is away: a repeat was not told from a bad request", batch, err)
		}
		if n := len(r.recorded()); n != 1 {
			t.Errorf("batch %v: %d recorded", batch, n)
		}
	}
}

// What an older version accepted and this one would refuse is still a repeat.
func TestRepeatOfWhatIsRefusedToday(t *testing.T) {
	t.Parallel()
	r := setup(t)
	first, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Key: "k", Body: []byte(hello)})
	if err != nil {
		t.Fatal(err)
	}
	twice := []byte(strings.Replace(hello, `"ttl"`, `"ttl":1,"ttl"`, 1))
	earlier, err := setup(t).intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: twice})
	if err == nil {
		t.Fatalf("%+v is accepted today", earlier)
	}
	stored := first.Notification
	sum := sha256.Sum256(twice)
	stored.Fingerprint = hex.EncodeToString(sum[:16])
	r.ledger.PutNotification(stored)
	again, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Key: "k", Body: twice})
	if err != nil || !again.Replayed || again.Notification.ID != stored.ID {
		t.Errorf("%+v, %v", again, err)
	}
}

// An event's ttl counts from when it happened; one that comes too late is
// recorded all the same, with a deadline in the past, so that it ends as expired.
func TestEventsCountTheirTTLFromTheirTime(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	at := func(ago time.Duration) string { return fmt.Sprintf(`,"time":%q`, now.Add(-ago).Format(time.RFC3339)) }
	ttl := func(s string) string { return strings.Replace(hello, `"ttl":60`, s, 1) }
	for _, c := range []struct {
		name, time, data string
		sent             time.Duration // how long ago the queue took it
		sns              time.Duration // and SNS before it; 0: it came without
		want             time.Duration // the deadline, from now
	}{
		{"in time", at(10 * time.Second), hello, time.Second, 0, 50 * time.Second},
		{"too late", at(time.Hour), hello, time.Second, 0, -59 * time.Minute},
		{"ages ago", `,"time":"1970-01-01T00:00:00Z"`, hello, time.Second, 0, time.Minute - 366*24*time.Hour},
		{"a clock that is ahead", at(-time.Hour), hello, time.Second, 0, time.Minute},
		{"no ttl: a day", at(23 * time.Hour), ttl(`"delivery_guarantee":"at_least_once"`), 0, 0, time.Hour},
		{"a deadline in the past", at(time.Minute), ttl(`"expires_at":"` + now.Add(-time.Second).Format(time.RFC3339) + `"`), 0, 0, -time.Second},
		{"a deadline wins", at(time.Hour), ttl(`"expires_at":"` + now.Add(time.Hour).Format(time.RFC3339) + `"`), 0, 0, time.Hour},
		{"no time: the queue's", "", hello, 30 * time.Second, 0, 30 * time.Second},
		{"no time: SNS's", "", hello, 10 * time.Second, 40 * time.Second, 20 * time.Second},
		{"null for a time: SNS's", `,"time":null`, hello, 10 * time.Second, 40 * time.Second, 20 * time.Second},
		{"its own time before SNS's", at(50 * time.Second), hello, 10 * time.Second, 40 * time.Second, 10 * time.Second},
		{"no time at all: now", "", hello, -1, 0, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			msg := worker.Message{
				ID: "m", Body: []byte(strings.Replace(event("1", c.data), `,"data"`, c.time+`,"data"`, 1)), SentAt: now.Add(-c.sent),
			}
			if c.sent < 0 {
				msg.SentAt = time.Time{}
			}
			if c.sns > 0 {
				wrapped, err := json.Marshal(map[string]string{
					"Type": "Notification", "TopicArn": "arn", "Message": string(msg.Body), "Timestamp": now.Add(-c.sns).Format(time.RFC3339Nano),
				})
				if err != nil {
					t.Fatal(err)
				}
				msg.Body = wrapped
			}
			e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
			if v := e.Handle(t.Context(), msg, nil); v.String() != "ack" || len(r.recorded()) != 1 {
				t.Fatalf("%s (%+v), %d recorded", v, v, len(r.recorded()))
			}
			for _, n := range r.recorded() {
				if off := n.Deadline().Sub(now.Add(c.want)); off < -time.Second || off > 10*time.Second {
					t.Errorf("deadline %v from now, want %v", n.Deadline().Sub(now), c.want)
				}
			}
		})
	}
}

// A second copy of an accepted event is acknowledged, however late.
func TestEventsTwiceAfterTheDeadline(t *testing.T) {
	t.Parallel()
	r := setup(t)
	e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
	for _, body := range []string{event("1", within(time.Hour, false)), event("2", hello)} {
		r.later = 0
		msg := worker.Message{ID: "m", Body: []byte(body), SentAt: time.Now()}
		first := e.Handle(t.Context(), msg, nil)
		r.later = 48 * time.Hour
		if second := e.Handle(t.Context(), msg, nil); first.String() != "ack" || second.String() != "ack" {
			t.Errorf("%s, then %s", first, second)
		}
	}
	if len(r.recorded()) != 2 {
		t.Errorf("%d recorded", len(r.recorded()))
	}
}

// An event that must wait for the ledger is sent anew: then it says itself since
// when it waits.
func TestEventsKeepTheirAgeWhileTheyWait(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.away = true
	e := ingest.NewEvents(r.intake, "acme", r.audit, r.log)
	sent := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	v := e.Handle(t.Context(), worker.Message{Body: []byte(event("1", hello)), SentAt: sent}, nil)
	again, err := wire.DecodeEvent(reflect.ValueOf(v).FieldByName("body").Bytes())
	if v.String() != "retry" || err != nil || !again.Time.Equal(sent) || string(again.Data) != hello {
		t.Errorf("%s with %+v, %v", v, again, err)
	}
}

// What is wrong with an event's data is said with pointers from the event.
func TestEventsNameFieldsOfJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"a bad request": {event("1", `{"to":{"topic":1},"message":{"data":{"k":null}}}`), "/data/message/data/k: must be a string"},
		"a wrong type":  {strings.Replace(event("1", hello), `"source":"/shop"`, `"source":[]`, 1), "/source: must be a string (got an array)"},
		"not UTF-8": {
			event("1", strings.Replace(hello, "Hi", "Gr\xfc\xdfe", 1)),
			"/data/message/notification/title: not a CloudEvent in structured JSON: must be UTF-8",
		},
		"half an emoji": {
			sns(t, "Notification", event("1", strings.Replace(hello, "Hi", `\ud83d`, 1))),
			`/data/message/notification/title: not a CloudEvent in structured JSON: \ud83d at byte`,
		},
		"a name twice": {
			event("1", strings.Replace(hello, `"ttl"`, `"ttl":5,"ttl"`, 1)), "/data/ttl: not a CloudEvent in structured JSON: is there twice",
		},
	} {
		r := setup(t)
		v := ingest.NewEvents(r.intake, "acme", r.audit, r.log).Handle(t.Context(), worker.Message{Body: []byte(c.body), SentAt: time.Now()}, nil)
		detail := reflect.ValueOf(v).FieldByName("detail").String()
		if v.String() != "dead" || !strings.Contains(detail, c.want) || strings.Contains(detail, "json:") || strings.Contains(detail, "Go ") {
			t.Errorf("%s: %s, %s", name, v, detail)
		}
	}
}
