package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

const send = `{"to":{"tokens":["a","b"]},"message":{"notification":{"title":"Hi"}}}`

func TestCreateNotification(t *testing.T) {
	t.Parallel()
	g := setup(t)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := g.Do(t, "POST", "/v1/notifications", send, "Idempotency-Key", "k 1", "traceparent", parent, "X-Request-Id", "r-1").Want(
		t, http.StatusAccepted, "",
	)

	var n client.Notification
	doortest.Decode(t, got.Body.Bytes(), &n)
	if n.State != "accepted" || n.Recipients != 2 || n.Links.Self != "/v1/notifications/"+n.ID ||
		got.Header().Get("Location") != n.Links.Self {
		t.Errorf("answer: %s, Location %q", got.Body, got.Header().Get("Location"))
	}
	if got.Header().Get("X-Request-Id") != "r-1" {
		t.Errorf("request id: got %q", got.Header().Get("X-Request-Id"))
	}
	s := g.intake.last
	if s.Tenant != access.DefaultName || s.Key != "k 1" || s.Batch || string(s.Body) != send {
		t.Errorf("submitted %+v", s)
	}
	if !strings.HasPrefix(s.TraceParent, parent[:36]) || s.TraceParent == parent {
		t.Errorf("traceparent %q: must be a child of %q", s.TraceParent, parent)
	}
}

func TestReplayedNotification(t *testing.T) {
	t.Parallel()
	g := setup(t)
	first := g.Do(t, "POST", "/v1/notifications", send, "Idempotency-Key", "k").Want(t, http.StatusAccepted, "")
	again := g.Do(t, "POST", "/v1/notifications", send, "Idempotency-Key", "k").Want(t, http.StatusAccepted, "")
	if diff := cmp.Diff(first.Body.String(), again.Body.String()); diff != "" {
		t.Errorf("a repeat must get the same body (-first +repeat):\n%s", diff)
	}
	if first.Header().Get("Idempotency-Replayed") != "" || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("Idempotency-Replayed: %q, then %q", first.Header().Get("Idempotency-Replayed"), again.Header().Get("Idempotency-Replayed"))
	}
	other := strings.Replace(send, "Hi", "Ho", 1)
	g.Do(t, "POST", "/v1/notifications", other, "Idempotency-Key", "k").Want(t, http.StatusUnprocessableEntity, door.CodeKeyReused)
}

func TestValidateOnly(t *testing.T) {
	t.Parallel()
	g := setup(t)
	got := g.Do(t, "POST", "/v1/notifications", strings.Replace(send, "{", `{"validate_only":true,"priority":"high","ttl":"5m",`, 1)).Want(
		t, http.StatusOK, "",
	)
	var n client.Notification
	doortest.Decode(t, got.Body.Bytes(), &n)
	for _, part := range []string{
		`"title":"Hi"`, `"ttl":"300s"`, `"priority":"high"`, `"apns-priority":"10"`, `"apns-expiration":"`, `"TTL":"300"`, `"belfry_id":"ntf_`,
	} {
		if !strings.Contains(string(n.Message), part) {
			t.Errorf("the message would not go out with %s: %s", part, n.Message)
		}
	}
	if n.ID != "" || n.State != "valid" || n.Recipients != 2 || got.Header().Get("Location") != "" {
		t.Errorf("got %s", got.Body)
	}
}

// A text that only a template language would fill in is taken, with a warning.
func TestPlaceholderWarnings(t *testing.T) {
	t.Parallel()
	g := setup(t)
	body := strings.Replace(send, "Hi", "Hi {{name}}", 1)
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/v1/notifications", body, http.StatusAccepted},
		{"/v1/notifications", strings.Replace(body, "{", `{"validate_only":true,`, 1), http.StatusOK},
		{"/v1/batches", `{"message":{"notification":{"title":"Hi {{name}}"}}}`, http.StatusCreated},
		{"/v1/notifications", send, http.StatusAccepted},
	} {
		var n client.Notification
		doortest.Decode(t, g.Do(t, "POST", c.path, c.body).Want(t, c.status, "").Body.Bytes(), &n)
		warned := len(n.Warnings) == 1 && n.Warnings[0].Pointer == "/message/notification/title" && n.Warnings[0].Code == "placeholder"
		if warned != strings.Contains(c.body, "{{") {
			t.Errorf("%s %s: got %+v", c.path, c.body, n.Warnings)
		}
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
	setup(t).Do(t, "POST", "/v1/notifications", body).Want(t, http.StatusAccepted, "")
}

func TestRefusedNotifications(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body    string
		headers []string
		fail    error
		status  int
		code    door.Code
	}{
		"not JSON":  {body: `{"to":`, status: 400, code: door.CodeMalformed},
		"empty":     {body: ``, status: 400, code: door.CodeMalformed},
		"faults":    {body: `{"to":{"tokens":[""]},"massage":{}}`, status: 422, code: door.CodeInvalid},
		"too large": {body: `{"a":"` + strings.Repeat("x", maxBody) + `"}`, status: 413, code: door.CodeTooLarge},
		"form": {
			body: send, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, code: door.CodeMediaType,
		},
		"charset": {body: send, headers: []string{"Content-Type", "application/json; charset=utf-8"}, status: 202},
		"gzip":    {body: send, headers: []string{"Content-Encoding", "gzip"}, status: 415, code: door.CodeMediaType},
		"two keys": {
			body: send, headers: []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, status: 400, code: door.CodeKeyInvalid,
		},
		"key not ASCII": {body: send, headers: []string{"Idempotency-Key", "ключ"}, status: 400, code: door.CodeKeyInvalid},
		"key too long": {
			body: send, headers: []string{"Idempotency-Key", strings.Repeat("k", 256)}, status: 400, code: door.CodeKeyInvalid,
		},
		"longest key":         {body: send, headers: []string{"Idempotency-Key", strings.Repeat("k", 255)}, status: 202},
		"ledger fails":        {body: send, fail: errors.New("disk full at /var/lib"), status: 500, code: door.CodeInternal},
		"ledger out of time":  {body: send, fail: fmt.Errorf("record: %w", errDeadline()), status: 503, code: door.CodeUnavailable},
		"shutting down":       {body: send, fail: errCanceled(), status: 503, code: door.CodeUnavailable},
		"bad traceparent":     {body: send, headers: []string{"traceparent", "zz"}, status: 202},
		"request id is weird": {body: send, headers: []string{"X-Request-Id", "<script>"}, status: 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.intake.fail = c.fail
			got := g.Do(t, "POST", "/v1/notifications", c.body, c.headers...).Want(t, c.status, c.code)
			if strings.Contains(got.Body.String(), "/var/lib") {
				t.Errorf("the answer tells about the inside: %s", got.Body)
			}
			if id := got.Header().Get("X-Request-Id"); id == "" || strings.Contains(id, "<") {
				t.Errorf("request id %q", id)
			}
		})
	}
}

func TestCreateBatch(t *testing.T) {
	t.Parallel()
	g := setup(t)
	got := g.Do(t, "POST", "/v1/batches", `{"message":{"data":{"a":"b"}},"ttl":"1h"}`).Want(t, http.StatusCreated, "")
	var n client.Notification
	doortest.Decode(t, got.Body.Bytes(), &n)
	if !g.intake.last.Batch || n.State != "uploading" || n.UploadURL != "/v1/batches/"+n.ID+"/recipients" || *n.Received != 0 ||
		n.ExpiresAt != nil {
		t.Errorf("got %s", got.Body)
	}
	g.Do(t, "POST", "/v1/batches", send).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}

func TestPublishEvent(t *testing.T) {
	t.Parallel()
	event := func(data string) string {
		return `{"specversion":"1.0","id":"7","source":"//shop","type":"push.notification.requested.v1","data":` + data + `}`
	}
	g := setup(t)
	g.Do(t, "POST", "/v1/events", event(send), "Content-Type", typeEvent, "Idempotency-Key", "ignored").Want(t, http.StatusAccepted, "")
	if g.intake.last.Key != "//shop\n7" || g.intake.last.Sender != "//shop" || string(g.intake.last.Body) != send ||
		g.intake.last.TraceParent == "" {
		t.Errorf("submitted %+v", g.intake.last)
	}
	again := g.Do(t, "POST", "/v1/events", event(send)).Want(t, http.StatusAccepted, "")
	if again.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("a repeated event must be a replay")
	}
	bad := g.Do(t, "POST", "/v1/events", event(`{"to":{"tokens":["a"]}}`)).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	if p := bad.Problem.Errors[0].Pointer; p != "/data" {
		t.Errorf("pointer %q: must point into the event", p)
	}
	g.Do(t, "POST", "/v1/events", `{"specversion":"1.0"}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "POST", "/v1/events", "[]", "Content-Type", "application/cloudevents-batch+json").Want(t, http.StatusUnsupportedMediaType,
		door.CodeMediaType)
}

func TestListNotifications(t *testing.T) {
	t.Parallel()
	g := setup(t)
	list := func(target string) (got client.NotificationList) {
		doortest.Decode(t, g.Do(t, "GET", target, "").Want(t, http.StatusOK, "").Body.Bytes(), &got)
		return got
	}
	if got := list("/v1/notifications"); got.Items == nil || len(got.Items) != 0 {
		t.Errorf("no notifications: %+v", got)
	}
	one, _ := moved("pause", batID)
	g.reports.list = []report.View{{Notification: one, State: push.StatePaused}}
	if got := list("/v1/notifications?limit=7"); got.NextCursor != "more" || got.Items[0].State != "paused" {
		t.Errorf("got %+v", got)
	}
	g.Do(t, "GET", "/v1/notifications?cursor=bad", "").Want(t, http.StatusBadRequest, door.CodeCursor)
}

// A search is what its parameters say, and what is wrong with one is named.
func TestSearchNotifications(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.Do(t, "GET", "/v1/notifications?label=team=orders&label=campaign&state=held&state=paused&kind=batch&since=2026-11-01T00:00:00%2B01:00"+
		"&until=2026-11-02T00:00:00Z&sender=key:1&title=Sale", "").Want(t, http.StatusOK, "")
	want := report.Search{
		Labels: []push.Label{{Name: "team", Value: "orders", HasValue: true}, {Name: "campaign"}},
		States: []push.State{push.StateHeld, push.StatePaused}, Prefix: push.PrefixBatch, Since: time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC),
		Until: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), Sender: "key:1", Title: "Sale",
	}
	if d := cmp.Diff(want, g.reports.search); d != "" {
		t.Error(d)
	}
	for query, wrong := range map[string]string{
		"label==x":                     "?label must be name=value, or name",
		"since=yesterday":              "?since must be a time such as 2030-01-02T15:04:05Z",
		"until=1":                      "?until must be a time such as 2030-01-02T15:04:05Z",
		"state=valid":                  "?state must be one of uploading, accepted, sending, held, paused, completed, cancelled, dead_lettered",
		"kind=batches":                 `?kind must be one of notification, batch; did you mean "batch"?`,
		"state=paused&state=sendin":    `dead_lettered; did you mean "sending"?`,
		strings.Repeat("label=a&", 21): "?label must be given at most 20 times (got 21)",
		"kind=batch&kind=batch":        "?kind must be given once (got 2)",
		"since=2026-11-01T00:00:00Z&until=" + "2026-11-01T00:00:00Z": "?until must be later than since: nothing is in between",
	} {
		got := g.Do(t, "GET", "/v1/notifications?"+query, "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
		if e := got.Problem.Errors; len(e) != 1 || !strings.Contains(e[0].Pointer+" "+e[0].Detail, wrong) {
			t.Errorf("%s: %+v, want %s", query, e, wrong)
		}
	}
}

// A list shows what a GET on one shows, but for the message.
func TestListAgrees(t *testing.T) {
	t.Parallel()
	g := setup(t)
	v := &g.reports.view
	v.Notification.Message, v.Notification.Sender = push.Message(`{"notification":{"title":"Hi"}}`), "key:1"
	v.State, v.Accepted, v.Open, v.Counts.Recipients = push.StateHeld, 7, 3, 7
	v.Counts.ByCode[push.CodeOpen], v.Counts.ByCode[push.CodeSent] = 3, 4
	g.reports.list = []report.View{*v}
	var list client.NotificationList
	var one client.Notification
	doortest.Decode(t, g.Do(t, "GET", "/v1/notifications", "").Want(t, http.StatusOK, "").Body.Bytes(), &list)
	doortest.Decode(t, g.Do(t, "GET", "/v1/notifications/"+ntfID, "").Want(t, http.StatusOK, "").Body.Bytes(), &one)
	if string(one.Message) != string(v.Notification.Message) || one.Title != "Hi" || one.Sender != "key:1" {
		t.Errorf("got %+v", one)
	}
	one.Message = nil
	if d := cmp.Diff(one, list.Items[0]); d != "" {
		t.Errorf("one and list differ (-one +list):\n%s", d)
	}
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
			for _, at := range []struct{ path, body, at string }{
				{"/v1/notifications", body, "/message"},
				{"/v1/batches", `{"message":` + c.message + `}`, "/message"},
				{"/v1/events", event, "/data/message"},
			} {
				got := g.Do(t, "POST", at.path, at.body).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
				if e := got.Problem.Errors; len(e) != 1 || e[0].Pointer != at.at+c.pointer || e[0].Detail == "" {
					t.Errorf("%s: %+v", at.path, e)
				}
			}
		})
	}
}
