package fcm

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/push"
)

func apnsDetail(status int, reason string) string {
	return fmt.Sprintf(`{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":%d,"reason":"%s"}`, status, reason)
}

func quotaDetail(subject, description string) string {
	return `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"` + subject + `","description":"` +
		description + `"}]}`
}

func infoDetail(reason string) string {
	return `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"` + reason + `","domain":"googleapis.com"}`
}

func zipped(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	return b.String()
}

// dead is what FCM says of an iPhone whose app was deleted.
var dead = fcmError("INVALID_ARGUMENT", "APNs device token is disabled.", errorCode("INVALID_ARGUMENT")+","+apnsDetail(410, "Unregistered"))

// shapes are answers as they come in the wild: FCM's, and what is left of them
// behind proxies.
var shapes = []struct {
	name   string
	status int
	body   string
	want   push.Code
}{
	{"as it is", 400, dead, push.CodeFCMUnregistered},
	{"compressed", 400, zipped(dead), push.CodeFCMUnregistered},
	{"compressed and cut", 400, zipped(dead)[:len(zipped(dead))-12], push.CodeFCMUnregistered},
	{"byte order mark", 400, "\ufeff" + dead, push.CodeFCMUnregistered},
	{"in an array", 400, "[" + dead + "]", push.CodeFCMUnregistered},
	{"cut behind the details", 400, dead[:len(dead)-3], push.CodeFCMUnregistered},
	{"cut within the last detail", 400, strings.TrimSuffix(dead, `egistered"}]}}`), push.CodeFCMUnregistered}, // the status is left
	{
		"cut before the last detail", 400, dead[:strings.Index(dead, `{"@type":"type.googleapis.com/google.firebase.fcm.v1.Apns`)],
		push.CodeFCMInvalidArgument,
	},
	{"cut within the message", 404, fcmError("NOT_FOUND", "x", errorCode("UNREGISTERED"))[:25], push.CodeFCMForbidden},
	{"numbers as texts", 400, strings.Replace(dead, `"statusCode":410`, `"statusCode":"410"`, 1), push.CodeFCMUnregistered},
	{
		"texts of other types", 400, strings.Replace(dead, `"message":"APNs device token is disabled."`, `"message":["x"]`, 1),
		push.CodeFCMUnregistered,
	},
	{
		"details are an object", 400, `{"error":{"message":"The registration token is not valid","status":"INVALID_ARGUMENT","details":{"a":1}}}`,
		push.CodeFCMInvalidArgument,
	},
	{"details are missing", 400, `{"error":{"message":"bad","status":"INVALID_ARGUMENT"}}`, push.CodeFCMInvalidUnspecified},
	{
		"old list of errors", 400,
		`{"error":{"code":400,"message":"Request contains an invalid argument.","errors":[{"message":"x","domain":"global",` +
			`"reason":"badRequest"}],"status":"INVALID_ARGUMENT"}}`,
		push.CodeFCMInvalidUnspecified,
	},
	{
		"former name of the detail", 404,
		strings.Replace(fcmError("NOT_FOUND", "?", errorCode("UNREGISTERED")), "v1.FcmError", "v1.FcmErrorCode", 1), push.CodeFCMUnregistered,
	},
	{"OAuth's form", 400, `{"error":"invalid_request","error_description":"x"}`, push.CodeUnclassified},
	{"a text", 400, `"Bad Request"`, push.CodeUnclassified},
	{"empty", 400, "", push.CodeUnclassified},
	{"nothing but brackets", 400, strings.Repeat("[", 60_000), push.CodeUnclassified},
	{"status in the body, HTTP differs", 418, fcmError("UNAVAILABLE", "?", ""), push.CodeFCMUnavailable},
	{"status in the body, HTTP knows better", 503, fcmError("INVALID_ARGUMENT", "?", ""), push.CodeFCMUnavailable},
	{"status in the body says nothing", 302, fcmError("OUT_OF_RANGE", "?", ""), push.CodeUnclassified},
	{"error code, HTTP differs", 418, fcmError("NOT_FOUND", "?", errorCode("UNREGISTERED")), push.CodeFCMUnregistered},

	{
		"device quota", 429,
		fcmError("RESOURCE_EXHAUSTED", "Quota exceeded.",
			errorCode("QUOTA_EXCEEDED")+","+quotaDetail("device:abc", "Device message rate exceeded")),
		push.CodeFCMDeviceQuota,
	},
	{
		"device quota, in words only", 429, fcmError("RESOURCE_EXHAUSTED", "Device message rate exceeded.", errorCode("QUOTA_EXCEEDED")),
		push.CodeFCMDeviceQuota,
	},
	{"topic quota", 429, fcmError("RESOURCE_EXHAUSTED", "Topic quota exceeded.", errorCode("QUOTA_EXCEEDED")), push.CodeFCMTopicQuota},
	{"topic quota, without FCM's code", 429, fcmError("RESOURCE_EXHAUSTED", "?", quotaDetail("topic:news", "")), push.CodeFCMTopicQuota},
	{
		"project quota", 429,
		fcmError("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Send requests'", quotaDetail("project:1", "Message rate")),
		push.CodeFCMQuotaExceeded,
	},
	{
		"quota of odd shapes", 429,
		fcmError("RESOURCE_EXHAUSTED", "?",
			`{"@type":"x/QuotaFailure","violations":{"a":1}},{"@type":"x/QuotaFailure","violations":[3,null,{"subject":7}]}`),
		push.CodeFCMQuotaExceeded,
	},

	{
		"API disabled", 403,
		fcmError("PERMISSION_DENIED", "FCM API has not been used in project 1 before or it is disabled.", infoDetail("SERVICE_DISABLED")),
		push.CodeFCMForbidden,
	},
	{"project suspended", 403, fcmError("PERMISSION_DENIED", "?", infoDetail("CONSUMER_SUSPENDED")), push.CodeFCMForbidden},
	{"API key, which is a 400", 400, fcmError("INVALID_ARGUMENT", "API key not valid.", infoDetail("API_KEY_INVALID")), push.CodeFCMForbidden},
	{"token expired", 401, fcmError("UNAUTHENTICATED", "?", infoDetail("ACCESS_TOKEN_EXPIRED")), push.CodeFCMUnauthorized},
	{"rate, by reason", 429, fcmError("RESOURCE_EXHAUSTED", "?", infoDetail("RATE_LIMIT_EXCEEDED")), push.CodeFCMQuotaExceeded},
	{"FCM's code as a reason", 404, fcmError("NOT_FOUND", "?", infoDetail("UNREGISTERED")), push.CodeFCMUnregistered},
	{"reason that nobody knows", 403, fcmError("PERMISSION_DENIED", "?", infoDetail("BRAND_NEW")), push.CodeFCMForbidden},
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, tc := range shapes {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, _ := classify(tc.status, "", []byte(tc.body), nil, time.Now())
			if e.Code != tc.want || !strings.HasPrefix(e.Detail, fmt.Sprintf("HTTP %d", tc.status)) || len(e.Detail) > maxDetail {
				t.Errorf("got %v, want %v: %s", e.Code, tc.want, e.Detail)
			}
		})
	}
}

func TestNameOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, body, want string }{
		{"compact", `{"name":"projects/p/messages/0:1%2"}`, "projects/p/messages/0:1%2"},
		{"as FCM prints it", "{\n  \"name\": \"projects/p/messages/1\"\n}\n", "projects/p/messages/1"},
		{"escaped", `{"name":"projects\/p\/messages\/\u0041"}`, "projects/p/messages/A"},
		{"other members", `{"x":1,"name":"projects/p/messages/1"}`, "projects/p/messages/1"},
		{"other members behind it", `{"name":"projects/p/messages/1","x":{}}`, "projects/p/messages/1"},
		{"cut behind the name", `{"name":"projects/p/messages/1"`, "projects/p/messages/1"},
		{"compressed", zipped(`{"name":"projects/p/messages/1"}`), "projects/p/messages/1"},
		{"byte order mark", "\ufeff" + `{"name":"projects/p/messages/1"}`, "projects/p/messages/1"},
		{"another name", `{"name":"n"}`, ""},
		{"a name of something else", `{"name":"projects/p/locations/1"}`, ""},
		{"no project", `{"name":"projects//messages/1"}`, ""},
		{"no id", `{"name":"projects/p/messages/"}`, ""},
		{"control characters", `{"name":"projects/p/messages/\n"}`, ""},
		{"an error beside it", `{"name":"projects/p/messages/1","error":{"code":503}}`, ""},
		{"a name within an error", `{"error":{"details":[{"name":"projects/p/messages/1"}]}}`, ""},
		{"an array", `[{"name":"projects/p/messages/1"}]`, ""},
		{"none", `{}`, ""},
		{"not a string", `{"name":7}`, ""},
		{"cut", `{"name":"projects/p/mess`, ""},
		{"empty", ``, ""},
		{"HTML", `<html>`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := nameOf([]byte(tc.body)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// FuzzClassify reads whatever a server may answer: any answer has a code of the
// taxonomy that is a failure, and short, valid, token-free words.
func FuzzClassify(f *testing.F) {
	const token = "fuzz-token-0123456789"
	for _, tc := range answers {
		f.Add(tc.status, "3", []byte(tc.body))
	}
	for _, tc := range shapes {
		f.Add(tc.status, "", []byte(tc.body))
	}
	f.Add(400, "Sat, 21 Nov 2026 12:00:42 GMT", []byte(fcmError("INVALID_ARGUMENT", "token "+token, "")))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		request := []byte(`{"message":{"token":"` + token + `"}}`)
		e, _ := classify(status, retryAfter, body, request, time.Unix(0, 0))
		if !e.Code.Known() || e.Code == push.CodeOpen || e.Code == push.CodeSent {
			t.Errorf("code %d", e.Code)
		}
		if e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour {
			t.Errorf("wait %v", e.RetryAfter)
		}
		if len(e.Detail) > maxDetail || !utf8.ValidString(e.Detail) || strings.Contains(e.Detail, token) {
			t.Errorf("detail %q", e.Detail)
		}
		if name := nameOf(body); name != "" && (!strings.HasPrefix(name, "projects/") || !strings.Contains(name, "/messages/")) {
			t.Errorf("name %q", name)
		}
		if n := noNameError(200, retryAfter, body, request, time.Unix(0, 0)); n.Code != push.CodeFCMNoName || len(n.Detail) > maxDetail ||
			strings.Contains(n.Detail, token) {
			t.Errorf("without a name: %v", n)
		}
	})
}
