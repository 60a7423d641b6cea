package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

const send = `{"to":{"tokens":["a","b"]},"message":{"notification":{"title":"Hi"}}}`

func TestCreateNotification(t *testing.T) {
	t.Parallel()
	g := setup(t)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := g.do(t, "POST", "/v1/notifications", send, "Idempotency-Key", "k 1", "traceparent", parent, "X-Request-Id", "r-1").want(t, http.StatusAccepted, "")

	var n client.Notification
	decode(t, got.Body.Bytes(), &n)
	if n.State != "accepted" || n.Recipients != 2 || n.Links.Self != "/v1/notifications/"+n.ID || got.Header().Get("Location") != n.Links.Self {
		t.Errorf("answer: %s, Location %q", got.Body, got.Header().Get("Location"))
	}
	if got.Header().Get("X-Request-Id") != "r-1" {
		t.Errorf("request id: got %q", got.Header().Get("X-Request-Id"))
	}
	s := g.intake.last
	if s.Tenant != DefaultTenant || s.Key != "k 1" || s.Batch || string(s.Body) != send {
		t.Errorf("submitted %+v", s)
	}
	if !strings.HasPrefix(s.TraceParent, parent[:36]) || s.TraceParent == parent {
		t.Errorf("traceparent %q: must be a child of %q", s.TraceParent, parent)
	}
}

func TestReplayedNotification(t *testing.T) {
	t.Parallel()
	g := setup(t)
	first := g.do(t, "POST", "/v1/notifications", send, "Idempotency-Key", "k").want(t, http.StatusAccepted, "")
	again := g.do(t, "POST", "/v1/notifications", send, "Idempotency-Key", "k").want(t, http.StatusAccepted, "")
	if diff := cmp.Diff(first.Body.String(), again.Body.String()); diff != "" {
		t.Errorf("a repeat must get the same body (-first +repeat):\n%s", diff)
	}
	if first.Header().Get("Idempotency-Replayed") != "" || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("Idempotency-Replayed: %q, then %q", first.Header().Get("Idempotency-Replayed"), again.Header().Get("Idempotency-Replayed"))
	}
	other := strings.Replace(send, "Hi", "Ho", 1)
	g.do(t, "POST", "/v1/notifications", other, "Idempotency-Key", "k").want(t, http.StatusUnprocessableEntity, codeKeyReused)
}

func TestValidateOnly(t *testing.T) {
	t.Parallel()
	g := setup(t)
	got := g.do(t, "POST", "/v1/notifications", strings.Replace(send, "{", `{"validate_only":true,"priority":"high","ttl":"5m",`, 1)).want(t, http.StatusOK, "")
	var n client.Notification
	decode(t, got.Body.Bytes(), &n)
	for _, part := range []string{`"title":"Hi"`, `"ttl":"300s"`, `"priority":"high"`, `"apns-priority":"10"`, `"apns-expiration":"`, `"TTL":"300"`, `"belfry_id":"ntf_`} {
		if !strings.Contains(string(n.Message), part) {
			t.Errorf("the message would not go out with %s: %s", part, n.Message)
		}
	}
	if n.ID != "" || n.State != "valid" || n.Recipients != 2 || got.Header().Get("Location") != "" {
		t.Errorf("got %s", got.Body)
	}
}

// A thousand tokens of 200 bytes are what the API promises to take inline.
func TestLargestNotification(t *testing.T) {
	t.Parallel()
	tokens := make([]string, push.MaxInlineTargets)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%0200d", i)
	}
	list, err := json.Marshal(tokens)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"to":{"tokens":` + string(list) + `},"message":{"data":{"a":"b"}}}`
	setup(t).do(t, "POST", "/v1/notifications", body).want(t, http.StatusAccepted, "")
}

func TestRefusedNotifications(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body    string
		headers []string
		fail    error
		status  int
		code    code
	}{
		"not JSON":            {body: `{"to":`, status: 400, code: codeMalformed},
		"empty":               {body: ``, status: 400, code: codeMalformed},
		"faults":              {body: `{"to":{"tokens":[""]},"massage":{}}`, status: 422, code: codeInvalid},
		"too large":           {body: `{"a":"` + strings.Repeat("x", maxBody) + `"}`, status: 413, code: codeTooLarge},
		"form":                {body: send, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, code: codeMediaType},
		"charset":             {body: send, headers: []string{"Content-Type", "application/json; charset=utf-8"}, status: 202},
		"gzip":                {body: send, headers: []string{"Content-Encoding", "gzip"}, status: 415, code: codeMediaType},
		"two keys":            {body: send, headers: []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, status: 400, code: codeKeyInvalid},
		"key not ASCII":       {body: send, headers: []string{"Idempotency-Key", "ключ"}, status: 400, code: codeKeyInvalid},
		"key too long":        {body: send, headers: []string{"Idempotency-Key", strings.Repeat("k", 256)}, status: 400, code: codeKeyInvalid},
		"longest key":         {body: send, headers: []string{"Idempotency-Key", strings.Repeat("k", 255)}, status: 202},
		"ledger fails":        {body: send, fail: errors.New("disk full at /var/lib"), status: 500, code: codeInternal},
		"ledger out of time":  {body: send, fail: fmt.Errorf("record: %w", errDeadline()), status: 503, code: codeUnavailable},
		"shutting down":       {body: send, fail: errCanceled(), status: 503, code: codeUnavailable},
		"bad traceparent":     {body: send, headers: []string{"traceparent", "zz"}, status: 202},
		"request id is weird": {body: send, headers: []string{"X-Request-Id", "<script>"}, status: 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.intake.fail = c.fail
			got := g.do(t, "POST", "/v1/notifications", c.body, c.headers...).want(t, c.status, c.code)
			if strings.Contains(got.Body.String(), "/var/lib") {
				t.Errorf("the answer tells about the inside: %s", got.Body)
			}
			if id := got.Header().Get("X-Request-Id"); !saneID(id) {
				t.Errorf("request id %q", id)
			}
		})
	}
}

func TestCreateBatch(t *testing.T) {
	t.Parallel()
	g := setup(t)
	got := g.do(t, "POST", "/v1/batches", `{"message":{"data":{"a":"b"}},"ttl":"1h"}`).want(t, http.StatusCreated, "")
	var n client.Notification
	decode(t, got.Body.Bytes(), &n)
	if !g.intake.last.Batch || n.State != "uploading" || n.UploadURL != "/v1/batches/"+n.ID+"/recipients" || *n.Received != 0 || n.ExpiresAt != nil {
		t.Errorf("got %s", got.Body)
	}
	g.do(t, "POST", "/v1/batches", send).want(t, http.StatusUnprocessableEntity, codeInvalid)
}

func TestPublishEvent(t *testing.T) {
	t.Parallel()
	event := func(data string) string {
		return `{"specversion":"1.0","id":"7","source":"//shop","type":"push.notification.requested.v1","data":` + data + `}`
	}
	g := setup(t)
	g.do(t, "POST", "/v1/events", event(send), "Content-Type", typeEvent, "Idempotency-Key", "ignored").want(t, http.StatusAccepted, "")
	if g.intake.last.Key != "//shop\n7" || string(g.intake.last.Body) != send || g.intake.last.TraceParent == "" {
		t.Errorf("submitted %+v", g.intake.last)
	}
	again := g.do(t, "POST", "/v1/events", event(send)).want(t, http.StatusAccepted, "")
	if again.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("a repeated event must be a replay")
	}
	bad := g.do(t, "POST", "/v1/events", event(`{"to":{"tokens":["a"]}}`)).want(t, http.StatusUnprocessableEntity, codeInvalid)
	if p := bad.problem.Errors[0].Pointer; p != "/data" {
		t.Errorf("pointer %q: must point into the event", p)
	}
	g.do(t, "POST", "/v1/events", `{"specversion":"1.0"}`).want(t, http.StatusUnprocessableEntity, codeInvalid)
	g.do(t, "POST", "/v1/events", "[]", "Content-Type", "application/cloudevents-batch+json").want(t, http.StatusUnsupportedMediaType, codeMediaType)
}

func TestListNotifications(t *testing.T) {
	t.Parallel()
	g := setup(t)
	list := func(target string) (got client.NotificationList) {
		decode(t, g.do(t, "GET", target, "").want(t, http.StatusOK, "").Body.Bytes(), &got)
		return got
	}
	if got := list("/v1/notifications"); got.Items == nil || len(got.Items) != 0 {
		t.Errorf("no notifications: %+v", got)
	}
	one, _ := moved("pause", batID)
	g.reports.list = []push.Notification{one}
	if got := list("/v1/notifications?limit=7"); got.NextCursor != "more" || got.Items[0].State != "paused" {
		t.Errorf("got %+v", got)
	}
	g.do(t, "GET", "/v1/notifications?cursor=bad", "").want(t, http.StatusBadRequest, codeCursor)
}

// TestMessagesAreChecked: what FCM or its documentation refuses is a 422 with
// its pointer, at each of the three doors.
func TestMessagesAreChecked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 6000)
	for name, c := range map[string]struct{ message, pointer string }{
		"an image that is no URL":  {`{"notification":{"image":"no url"}}`, "/notification/image"},
		"arguments without a key":  {`{"android":{"notification":{"title_loc_args":["a"]}}}`, "/android/notification/title_loc_args"},
		"arguments of an alert":    {`{"apns":{"payload":{"aps":{"alert":{"loc-args":["a"]}}}}}`, "/apns/payload/aps/alert/loc-args"},
		"an expiration in words":   {`{"apns":{"headers":{"apns-expiration":"tomorrow"}}}`, "/apns/headers/apns-expiration"},
		"an urgency":               {`{"webpush":{"headers":{"Urgency":"urgent"}}}`, "/webpush/headers/Urgency"},
		"android's data too large": {`{"android":{"data":{"k":"` + long + `"}}}`, "/android"},
		"a payload too large":      {`{"apns":{"payload":{"k":"` + long + `"}}}`, "/apns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			body := `{"to":{"tokens":["t"]},"message":` + c.message + `}`
			event := `{"specversion":"1.0","type":"push.notification.requested.v1","source":"s","id":"1","data":` + body + `}`
			for _, door := range []struct{ path, body, at string }{
				{"/v1/notifications", body, "/message"}, {"/v1/batches", `{"message":` + c.message + `}`, "/message"}, {"/v1/events", event, "/data/message"},
			} {
				got := g.do(t, "POST", door.path, door.body).want(t, http.StatusUnprocessableEntity, codeInvalid)
				if e := got.problem.Errors; len(e) != 1 || e[0].Pointer != door.at+c.pointer || e[0].Detail == "" {
					t.Errorf("%s: %+v", door.path, e)
				}
			}
		})
	}
}
