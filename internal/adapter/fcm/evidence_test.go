package fcm

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	token := "eXAmPle:APA91b" + strings.Repeat("aB3_-", 30)
	for _, tc := range []struct{ name, words, request, want string }{
		{"token", "token " + token + " is bad", `{"message":{"token":"` + token + `"}}`, "token … is bad"},
		{"fid, too short to look like one", "fid d4w-9 is bad", `{"message":{"fid":"d4w-9"}}`, "fid … is bad"},
		{"another token", "see " + token, `{"message":{"topic":"t"}}`, "see …"},
		{"cut token", "see " + token[:70] + "...", `{"message":{"token":"` + token + `"}}`, "see …..."},
		{
			"ordinary words", "Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager.googleapis.com/projects/p'",
			`{}`,
			"Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager.googleapis.com/projects/p'",
		},
		{"request is no JSON", "words", `{`, "words"},
		{"a short piece of the token", "see " + token[20:40] + ".", `{"message":{"token":"` + token + `"}}`, "see …."},
		{"a piece among other letters", "xx" + token[:20] + "yy", `{"message":{"token":"` + token + `"}}`, "xx…yy"},
		{
			"live activity", "bad 0123456789abcdef0123456789",
			`{"message":{"token":"t-1","apns":{"live_activity_token":"0123456789abcdef0123456789"}}}`, "bad …",
		},
		{"control characters", "a\x1b[31m\nb\u009bc", `{}`, "a [31m b c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := withoutSecrets(tc.words, []byte(tc.request)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     int
	}{
		{"short", "abc", 3},
		{"exact", strings.Repeat("x", 300), 300},
		{"long", strings.Repeat("x", 301), 300},
		{"cut within a rune", strings.Repeat("ü", 200), 299},
		{"invalid", "a\xffb", 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := clip(tc.in); len(got) != tc.want || !utf8.ValidString(got) {
				t.Errorf("got %d bytes %q, want %d", len(got), got, tc.want)
			}
		})
	}
}

// TestEvidence: whatever FCM said of the reason is kept, the rarer the sooner.
func TestEvidence(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("words ", 100)
	for _, tc := range []struct {
		name, message, details string
		want                   string
	}{
		{"nothing beside the message", "Bad.", errorCode("INTERNAL"), "HTTP 500: Bad."},
		{"no message", "", "", "HTTP 500"},
		{
			"APNs", "Auth error", errorCode("THIRD_PARTY_AUTH_ERROR") + "," + apnsDetail(403, "InvalidProviderToken"),
			"HTTP 500: Auth error [APNs 403 InvalidProviderToken]",
		},
		{"APNs without a status", "x", apnsDetail(0, "Odd"), "HTTP 500: x [APNs 0 Odd]"},
		{
			"quota", "Quota exceeded.", quotaDetail("device:x", "Device message rate"),
			"HTTP 500: Quota exceeded. [quota of device:x: Device message rate]",
		},
		{
			"credential", "Denied", `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","domain":"googleapis.com"}`,
			"HTTP 500: Denied [SERVICE_DISABLED of googleapis.com]",
		},
		{"field and description", "Invalid", fieldViolation("message.android.ttl"), "HTTP 500: Invalid [message.android.ttl: Invalid value]"},
		{
			"field, described in the message", "Invalid value", fieldViolation("message.android.ttl"),
			"HTTP 500: Invalid value [message.android.ttl]",
		},
		{"code that we have not heard of", "x", errorCode("BRAND_NEW"), "HTTP 500: x [FCM BRAND_NEW]"},
		{
			"detail that we have not heard of", "x",
			`{"@type":"type.googleapis.com/google.firebase.fcm.v1.WebpushError","reason":"Gone","more":[1]}`, "HTTP 500: x [WebpushError Gone]",
		},
		{"long message", long, apnsDetail(410, "Unregistered"), "HTTP 500: " + strings.Repeat("words ", 44) + "…" + " [APNs 410 Unregistered]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, _ := classify(500, "", []byte(fcmError("?", tc.message, tc.details)), nil, time.Now())
			if tc.name == "long message" { // only its end depends on the arithmetic
				if !strings.HasPrefix(e.Detail, "HTTP 500: words ") || !strings.HasSuffix(e.Detail, "… [APNs 410 Unregistered]") ||
					len(e.Detail) > maxDetail {
					t.Errorf("got %q", e.Detail)
				}
				return
			}
			if e.Detail != tc.want {
				t.Errorf("got  %q\nwant %q", e.Detail, tc.want)
			}
		})
	}
}
