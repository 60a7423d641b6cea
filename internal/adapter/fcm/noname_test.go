package fcm

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/push"
)

// TestNameless: an answer of 2xx counts as sent only if it names a message.
func TestNameless(t *testing.T) {
	t.Parallel()
	const token = "fVz-1234567890:APA91bTokenTokenTokenToken"
	for _, tc := range []struct {
		name       string
		status     int
		body       string
		named      bool
		detail     string
		retryAfter string
		wait       time.Duration
	}{
		{name: "as FCM answers", status: 200, body: "{\n  \"name\": \"projects/p/messages/0:1\"\n}\n", named: true},
		{
			name: "a page", status: 200, body: "<!DOCTYPE html><style>p{color:red}</style><title>Sign in</title><p>to the&nbsp;network",
			detail: "HTTP 200: no message name: Sign in to the network",
		},
		{name: "empty", status: 200, detail: "HTTP 200: no message name"},
		{name: "204", status: 204, detail: "HTTP 204: no message name"},
		{name: "202", status: 202, body: `{"queued":true}`, detail: `HTTP 202: no message name: {"queued":true}`},
		{name: "empty object", status: 200, body: `{}`, detail: "HTTP 200: no message name: {}"},
		{name: "null", status: 200, body: `null`, detail: "HTTP 200: no message name: null"},
		{name: "another name", status: 200, body: `{"name":"ok"}`, detail: `HTTP 200: no message name: {"name":"ok"}`},
		{
			name: "an error document", status: 200, body: fcmError("NOT_FOUND", "Requested entity was not found.", errorCode("UNREGISTERED")),
			detail: "HTTP 200: no message name: Requested entity was not found. [FCM UNREGISTERED]",
		},
		{
			name: "an error document, in an array, with a wait", status: 200,
			body:   "[" + fcmError("UNAVAILABLE", "Later.", `{"@type":"x/google.rpc.RetryInfo","retryDelay":"7s"}`) + "]",
			detail: "HTTP 200: no message name: Later.", wait: 7 * time.Second,
		},
		{
			name: "a header with a wait", status: 200, body: "busy", retryAfter: "9", detail: "HTTP 200: no message name: busy",
			wait: 9 * time.Second,
		},
		{
			name: "an echo of the request", status: 200, body: `{"message":{"token":"` + token + `"}}`,
			detail: `HTTP 200: no message name: {"message":{"token":"…"}}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := fakeFCM(t, func(w http.ResponseWriter, _ *http.Request) {
				if tc.retryAfter != "" {
					w.Header().Set("Retry-After", tc.retryAfter)
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			})
			s, reg := newSender(t, cfg)
			name, err := s.Send(t.Context(), []byte(`{"message":{"token":"`+token+`"}}`))
			if tc.named {
				if name != "projects/p/messages/0:1" || err != nil {
					t.Errorf("name %q, %v", name, err)
				}
				return
			}
			e := asError(t, err)
			if name != "" || e.Code != push.CodeFCMNoName || e.Detail != tc.detail || e.RetryAfter != tc.wait {
				t.Errorf("name %q, %v, wait %v", name, err, e.RetryAfter)
			}
			if count(t, reg, "belfry_fcm_requests_total", "fcm.no_name") != 1 || count(t, reg, "belfry_fcm_requests_total", "sent") != 0 {
				t.Error("not counted as what it is")
			}
		})
	}
}

// TestNamelessAlarm: the first answer without a name is told, the others are
// counted, and so is the end of it.
func TestNamelessAlarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		a := noNameLog{log: zap.New(core), now: time.Now}
		e := &push.Error{Code: push.CodeFCMNoName, Detail: "HTTP 200: no message name"}
		told := func() []string {
			var lines []string
			for _, l := range logs.TakeAll() {
				lines = append(lines, l.Level.String()+" "+strings.Fields(l.Message)[0])
			}
			return lines
		}
		a.named()
		for range 1000 {
			a.unnamed(e)
			a.named() // one good answer between them does not end it
		}
		if got := told(); len(got) != 1 || got[0] != "error what" {
			t.Errorf("told %q", got)
		}
		time.Sleep(quietAfter)
		a.named()
		a.named()
		if got := told(); len(got) != 1 || got[0] != "info FCM" {
			t.Errorf("told %q", got)
		}
		a.unnamed(e)
		if got := told(); len(got) != 1 {
			t.Errorf("told %q, want it to begin anew", got)
		}
	})
}

// TestUnknownCounted: what the tables don't know is counted, by whose it is.
func TestUnknownCounted(t *testing.T) {
	t.Parallel()
	bodies := []string{
		fcmError("INVALID_ARGUMENT", "?", errorCode("INVALID_ARGUMENT")+","+apnsDetail(410, "Vanished")),
		fcmError("INVALID_ARGUMENT", "?", errorCode("BRAND_NEW")),
		fcmError("INVALID_ARGUMENT", "?", errorCode("UNSPECIFIED_ERROR")),
	}
	next := make(chan string, len(bodies))
	for _, b := range bodies {
		next <- b
	}
	s, reg := newSender(t, fakeFCM(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(<-next))
	}))
	for range bodies {
		_, _ = s.Send(t.Context(), []byte(`{"message":{}}`))
	}
	for _, from := range []string{"fcm", "apns"} {
		if got := count(t, reg, "belfry_fcm_unknown_reasons_total", from); got != 1 {
			t.Errorf("%s: counted %v, want 1", from, got)
		}
	}
}
