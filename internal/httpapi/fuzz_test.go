package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// Whatever is sent, the answer is JSON of its schema, and a refusal is a
// problem that says so in its status.
func FuzzCreateNotification(f *testing.F) {
	for _, seed := range []string{
		send, "", "null", "[]", `{"to":`, `{"to":{"topic":"a"},"message":{}}`, `{"message":{"data":{"a":1}},"ttl":-1}`, "{\"to\":\"\xff\"}",
		`{"to":{"tokens":["a"]},"message":{"data":{"a":"b"}},"labels":{"<&>":"\u2028"},"expires_at":"2026-11-03T13:00:00+01:00"}`,
		`{"to":{"condition":"'a' in topics"},"message":{"notification":{}},"ttl":"1h","validate_only":true}`,
	} {
		f.Add(seed, door.TypeJSON, "key", "")
	}
	f.Add(send, "application/json; charset=\"", "\x00", "00-0-0-00")
	g := setup(f)
	f.Fuzz(func(t *testing.T, body, kind, key, trace string) {
		got := g.Do(t, "POST", "/v1/notifications", body, "Content-Type", kind, "Idempotency-Key", key, "traceparent", trace)
		if got.Code < http.StatusBadRequest {
			var n client.Notification
			if err := json.Unmarshal(got.Body.Bytes(), &n); err != nil || n.State == "" {
				t.Errorf("%d: %v: %s", got.Code, err, got.Body)
			}
			return
		}
		if got.Problem.Status != got.Code || got.Problem.Code == "" || got.Code == http.StatusInternalServerError ||
			!strings.HasPrefix(got.Problem.Type, "/problems/") {
			t.Errorf("%d: %s", got.Code, got.Body)
		}
	})
}
