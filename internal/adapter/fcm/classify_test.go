package fcm

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"firebase.google.com/go/v4/messaging"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
	"github.com/belfry-push/belfry/internal/push"
)

// fcmError is an error body as FCM documents it.
func fcmError(status, message, details string) string {
	return `{"error":{"code":0,"message":"` + message + `","status":"` + status + `","details":[` + details + `]}}`
}

func errorCode(code string) string {
	return `{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"` + code + `"}`
}

func fieldViolation(field string) string {
	return `{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"` + field + `","description":"Invalid value"}]}`
}

// answers are FCM's documented errors, what stands between us and FCM may say,
// and what nobody should say.
//
// https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
// https://firebase.google.com/docs/cloud-messaging/error-codes
var answers = []struct {
	name   string
	status int
	body   string
	want   push.Code
}{
	{"unregistered", 404, fcmError("NOT_FOUND", "Requested entity was not found.", errorCode("UNREGISTERED")), push.CodeFCMUnregistered},
	{
		"invalid token", 400,
		fcmError("INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", errorCode("INVALID_ARGUMENT")),
		push.CodeFCMInvalidArgument,
	},
	{
		"invalid token, with the field", 400,
		fcmError("INVALID_ARGUMENT", "Request contains an invalid argument.", errorCode("INVALID_ARGUMENT")+","+fieldViolation("message.token")),
		push.CodeFCMInvalidArgument,
	},
	{"invalid fid, field only", 400, fcmError("INVALID_ARGUMENT", "Invalid fid", fieldViolation("message.fid")), push.CodeFCMInvalidArgument},
	{"invalid topic", 400, fcmError("INVALID_ARGUMENT", "Invalid topic", fieldViolation("message.topic")), push.CodeFCMInvalidArgument},
	{
		"invalid field", 400, fcmError("INVALID_ARGUMENT", "Invalid value at 'message.data[0].value'", fieldViolation("message.data[0].value")),
		push.CodePayloadInvalid,
	},
	{
		"invalid field, both details", 400,
		fcmError("INVALID_ARGUMENT", "Invalid ttl", fieldViolation("message.android.ttl")+","+errorCode("INVALID_ARGUMENT")),
		push.CodePayloadInvalid,
	},
	{
		"invalid field and token", 400,
		fcmError("INVALID_ARGUMENT", "Both", fieldViolation("message.token")+","+fieldViolation("message.android.ttl")), push.CodePayloadInvalid,
	},
	{
		"whole message too big", 400,
		fcmError("INVALID_ARGUMENT", "Android message is too big", errorCode("INVALID_ARGUMENT")+","+fieldViolation("message")),
		push.CodePayloadTooLarge,
	},
	{
		"invalid without details", 400, fcmError("INVALID_ARGUMENT", "Request contains an invalid argument.", ""), push.CodeFCMInvalidUnspecified,
	},
	{
		"invalid without a word about what", 400,
		fcmError("INVALID_ARGUMENT", "Request contains an invalid argument.", errorCode("INVALID_ARGUMENT")), push.CodeFCMInvalidUnspecified,
	},
	{
		"empty list of violations", 400, fcmError("INVALID_ARGUMENT", "?", `{"@type":"type.googleapis.com/google.rpc.BadRequest"}`),
		push.CodePayloadInvalid,
	},
	{
		"too large", 400,
		fcmError("INVALID_ARGUMENT", "Message is too large. The maximum is 4K (4096 bytes).",
			`{"@type":"type.googleapis.com/google.rpc.BadRequest"},`+errorCode("INVALID_ARGUMENT")),
		push.CodePayloadTooLarge,
	},
	{
		"too large without details", 400, fcmError("INVALID_ARGUMENT", "Message is too large. The maximum is 4K (4096 bytes).", ""),
		push.CodePayloadTooLarge,
	},
	{
		"sender id mismatch", 403, fcmError("PERMISSION_DENIED", "SenderId mismatch", errorCode("SENDER_ID_MISMATCH")),
		push.CodeFCMSenderIDMismatch,
	},
	{
		"permission missing", 403,
		fcmError("PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied",
			`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED"}`),
		push.CodeFCMForbidden,
	},
	{
		"third party auth", 401, fcmError("UNAUTHENTICATED", "Auth error from APNS or Web Push Service", errorCode("THIRD_PARTY_AUTH_ERROR")),
		push.CodeFCMThirdPartyAuth,
	},
	{
		"third party auth, former name", 401, fcmError("UNAUTHENTICATED", "Auth error from APNS", errorCode("APNS_AUTH_ERROR")),
		push.CodeFCMThirdPartyAuth,
	},
	{
		"access token refused", 401,
		fcmError("UNAUTHENTICATED", "Request had invalid authentication credentials.",
			`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"ACCESS_TOKEN_EXPIRED"}`),
		push.CodeFCMUnauthorized,
	},
	{"project not found", 404, fcmError("NOT_FOUND", "Requested entity was not found.", ""), push.CodeFCMForbidden},
	{"quota", 429, fcmError("RESOURCE_EXHAUSTED", "Quota exceeded", errorCode("QUOTA_EXCEEDED")), push.CodeFCMQuotaExceeded},
	{"quota of the platform", 429, fcmError("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric", ""), push.CodeFCMQuotaExceeded},
	{"unavailable", 503, fcmError("UNAVAILABLE", "The service is currently unavailable.", errorCode("UNAVAILABLE")), push.CodeFCMUnavailable},
	{"internal", 500, fcmError("INTERNAL", "Internal error encountered.", errorCode("INTERNAL")), push.CodeFCMInternal},
	{"unspecified", 500, fcmError("INTERNAL", "?", errorCode("UNSPECIFIED_ERROR")), push.CodeFCMInternal},
	{"code decides over status", 500, fcmError("UNAVAILABLE", "?", errorCode("UNAVAILABLE")), push.CodeFCMUnavailable},

	{"HTML 502", 502, "<html><title>502 Server Error</title>", push.CodeFCMUnavailable},
	{"HTML 503", 503, "<!DOCTYPE html><title>Error 503</title>", push.CodeFCMUnavailable},
	{"HTML 504", 504, "upstream request timeout", push.CodeFCMUnavailable},
	{"HTML 500", 500, "<html>", push.CodeFCMInternal},
	{"empty 413", 413, "", push.CodePayloadTooLarge},
	{"HTML 404", 404, "<html>404. That’s an error.", push.CodeFCMForbidden},
	{"HTML 400", 400, "<html>Your client has issued a malformed or illegal request.", push.CodeUnclassified},
	{"HTML 401", 401, "<html>", push.CodeFCMUnauthorized},
	{"HTML 403", 403, "<html>", push.CodeFCMForbidden},
	{"HTML 429", 429, "<html>", push.CodeFCMQuotaExceeded},

	{"code that we have not heard of", 400, fcmError("INVALID_ARGUMENT", "?", errorCode("BRAND_NEW")), push.CodeUnclassified},
	{"new code on 503", 503, fcmError("UNAVAILABLE", "?", errorCode("BRAND_NEW")), push.CodeFCMUnavailable},
	{"redirect", 302, "", push.CodeUnclassified},
	{"teapot", 418, "", push.CodeUnclassified},
	{"not implemented", 501, fcmError("UNIMPLEMENTED", "?", ""), push.CodeUnclassified},
	{
		"details of strange shapes", 404, fcmError("NOT_FOUND", "?", `3,null,"x",{"@type":7},`+errorCode("UNREGISTERED")),
		push.CodeFCMUnregistered,
	},
	{"error is no object", 400, `{"error":"invalid_request"}`, push.CodeUnclassified},
	{"error is missing", 400, `{}`, push.CodeUnclassified},
	{"body is null", 400, `null`, push.CodeUnclassified},
}

func codeFor(status int, body string) push.Code {
	e, _ := classify(status, "", []byte(body), nil, time.Now())
	return e.Code
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, tc := range answers {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got, _ := classify(tc.status, "", []byte(tc.body), nil, time.Now()); got.Code != tc.want || got.RetryAfter != 0 {
				t.Errorf("got %v, wait %v; want %v", got.Code, got.RetryAfter, tc.want)
			}
		})
	}
}

// TestClassifyAgreesWithGoogle asks the predicates of Google's own client about
// the same answers: whenever one of them knows the reason, so must we.
func TestClassifyAgreesWithGoogle(t *testing.T) {
	t.Parallel()
	predicates := []struct {
		name string
		is   func(error) bool
		want []push.Code
	}{
		{"IsUnregistered", messaging.IsUnregistered, []push.Code{push.CodeFCMUnregistered}},
		// The predicate cannot tell a bad address from a bad message.
		{"IsInvalidArgument", messaging.IsInvalidArgument, []push.Code{
			push.CodeFCMInvalidArgument, push.CodeFCMInvalidUnspecified, push.CodePayloadInvalid, push.CodePayloadTooLarge,
		}},
		{"IsSenderIDMismatch", messaging.IsSenderIDMismatch, []push.Code{push.CodeFCMSenderIDMismatch}},
		{"IsThirdPartyAuthError", messaging.IsThirdPartyAuthError, []push.Code{push.CodeFCMThirdPartyAuth}},
		{"IsQuotaExceeded", messaging.IsQuotaExceeded, []push.Code{push.CodeFCMQuotaExceeded}},
		{"IsUnavailable", messaging.IsUnavailable, []push.Code{push.CodeFCMUnavailable}},
		{"IsInternal", messaging.IsInternal, []push.Code{push.CodeFCMInternal}},
	}
	agreed := map[string]int{}
	for _, tc := range answers {
		client := officialClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			status := tc.status
			if status == http.StatusServiceUnavailable {
				status = 599 // the client would try a 503 again, for seven seconds
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(tc.body))}, nil
		}))
		_, err := client.Send(t.Context(), &messaging.Message{Fid: "f"})
		got := codeFor(tc.status, tc.body)
		for _, p := range predicates {
			if !p.is(err) {
				continue
			}
			agreed[p.name]++
			ok := false
			for _, want := range p.want {
				ok = ok || got == want
			}
			if !ok {
				t.Errorf("%s: %s says yes, we say %v", tc.name, p.name, got)
			}
		}
	}
	if len(agreed) != len(predicates) {
		t.Errorf("only %v were put to the test", agreed)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	retryInfo := fcmError("UNAVAILABLE", "?", `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30.5s"}`)
	for _, tc := range []struct {
		name, header, body string
		want               time.Duration
	}{
		{"none", "", "", 0},
		{"seconds", "120", "", 2 * time.Minute},
		{"zero", "0", "", 0},
		{"spaces", " 5 ", "", 5 * time.Second},
		{"date", "Sat, 21 Nov 2026 12:00:42 GMT", "", 42 * time.Second},
		{"date in the past", "Sat, 21 Nov 2026 11:00:00 GMT", "", 0},
		{"date far away", "Sun, 21 Nov 2027 11:00:00 GMT", "", 24 * time.Hour},
		{"huge", "99999999999999999", "", 24 * time.Hour},
		{"negative", "-1", "", 0},
		{"words", "soon", "", 0},
		{"in the body", "", retryInfo, 30500 * time.Millisecond},
		{"header before body", "7", retryInfo, 7 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if e, _ := classify(503, tc.header, []byte(tc.body), nil, now); e.RetryAfter != tc.want {
				t.Errorf("got %v, want %v", e.RetryAfter, tc.want)
			}
		})
	}
}

func TestClassifyTransport(t *testing.T) {
	t.Parallel()
	for kind, want := range map[transport.Kind]push.Code{
		transport.Refused: push.CodeNetRefused, transport.DNS: push.CodeNetDNS, transport.TLS: push.CodeNetTLS,
		transport.Reset: push.CodeNetReset, transport.Timeout: push.CodeNetTimeout, transport.Kind(99): push.CodeUnclassified,
	} {
		cause := errors.New("cause")
		err := classifyTransport(&transport.Error{Kind: kind, Err: cause})
		if got := push.CodeOf(err); got != want || !errors.Is(err, cause) {
			t.Errorf("%v: got %v (%v), want %v", kind, got, err, want)
		}
	}
	if cause := errors.New("of ctx"); classifyTransport(cause) != cause { //nolint:errorlint // identity is the point
		t.Error("an error that is not of the transport must stay as it is")
	}
}
