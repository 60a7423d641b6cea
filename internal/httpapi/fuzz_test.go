package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
)

// Whatever is sent, the answer is JSON of its schema, and a refusal is a
// problem that says so in its status.
func FuzzCreateNotification(f *testing.F) {
	for _, seed := range []string{
		send, "", "null", "[]", `{"to":`, `{"to":{"topic":"a"},"message":{}}`, `{"message":{"data":{"a":1}},"ttl":-1}`, "{\"to\":\"\xff\"}",
		`{"to":{"tokens":["a"]},"message":{"data":{"a":"b"}},"labels":{"<&>":"\u2028"},"expires_at":"2026-11-03T13:00:00+01:00"}`,
		`{"to":{"condition":"'a' in topics"},"message":{"notification":{}},"ttl":"1h","validate_only":true}`,
	} {
		f.Add(seed, typeJSON, "key", "")
	}
	f.Add(send, "application/json; charset=\"", "\x00", "00-0-0-00")
	g := setup(f)
	f.Fuzz(func(t *testing.T, body, kind, key, trace string) {
		got := g.do(t, "POST", "/v1/notifications", body, "Content-Type", kind, "Idempotency-Key", key, "traceparent", trace)
		if got.Code < http.StatusBadRequest {
			var n client.Notification
			if err := json.Unmarshal(got.Body.Bytes(), &n); err != nil || n.State == "" {
				t.Errorf("%d: %v: %s", got.Code, err, got.Body)
			}
			return
		}
		if got.problem.Status != got.Code || got.problem.Code == "" || got.Code == http.StatusInternalServerError || !strings.HasPrefix(got.problem.Type, "/problems/") {
			t.Errorf("%d: %s", got.Code, got.Body)
		}
	})
}

// The checks of a query take any string.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"limit=5", "limit=-1&cursor=%00", "a;b", "%", "class=sent&class=sent", "=&=", "limit=1e3"} {
		f.Add(seed)
	}
	defs := append(pageParams(), filterParams()...)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(defs, raw)
		if err != nil {
			return
		}
		if n := q.integer("limit"); n < 1 || n > 1000 {
			t.Errorf("%q: limit is %d", raw, n)
		}
		if f := q.filter(); f.HasClass != (q.text("class") != "") || f.HasCode != (q.text("code") != "") {
			t.Errorf("%q: filter is %+v", raw, f)
		}
	})
}
