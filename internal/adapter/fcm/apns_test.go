package fcm

import (
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// applesTable is Apple's, row by row, with what each reason means for a sender:
// the device is gone, its token is bad, the message is, the app's key or topic
// is, or try again. Written down apart from the code's own table.
//
// https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
var applesTable = []struct {
	status int
	reason string
	want   push.Code
}{
	{400, "BadCollapseId", push.CodePayloadInvalid},
	{400, "BadDeviceToken", push.CodeAPNsBadDeviceToken},
	{400, "BadExpirationDate", push.CodePayloadInvalid},
	{400, "BadMessageId", push.CodePayloadInvalid},
	{400, "BadPriority", push.CodePayloadInvalid},
	{400, "BadTopic", push.CodeAPNsTopic},
	{400, "DeviceTokenNotForTopic", push.CodeAPNsTopic},
	{400, "DuplicateHeaders", push.CodePayloadInvalid},
	{400, "IdleTimeout", push.CodeAPNsUnavailable},
	{400, "InvalidPushType", push.CodePayloadInvalid},
	{400, "MissingDeviceToken", push.CodeAPNsBadDeviceToken},
	{400, "MissingTopic", push.CodeAPNsTopic},
	{400, "PayloadEmpty", push.CodePayloadInvalid},
	{400, "TopicDisallowed", push.CodeAPNsTopic},
	{403, "BadCertificate", push.CodeFCMThirdPartyAuth},
	{403, "BadCertificateEnvironment", push.CodeFCMThirdPartyAuth},
	{403, "BadEnvironmentKeyIdInToken", push.CodeFCMThirdPartyAuth},
	{403, "ExpiredProviderToken", push.CodeAPNsUnavailable},
	{403, "Forbidden", push.CodeFCMThirdPartyAuth},
	{403, "InvalidProviderToken", push.CodeFCMThirdPartyAuth},
	{403, "MissingProviderToken", push.CodeFCMThirdPartyAuth},
	{403, "UnrelatedKeyIdInToken", push.CodeFCMThirdPartyAuth},
	{404, "BadPath", push.CodeOpen},
	{405, "MethodNotAllowed", push.CodeOpen},
	{410, "ExpiredToken", push.CodeFCMUnregistered},
	{410, "Unregistered", push.CodeFCMUnregistered},
	{413, "PayloadTooLarge", push.CodePayloadTooLarge},
	{429, "TooManyProviderTokenUpdates", push.CodeAPNsUnavailable},
	{429, "TooManyRequests", push.CodeFCMDeviceQuota},
	{500, "InternalServerError", push.CodeAPNsUnavailable},
	{503, "ServiceUnavailable", push.CodeAPNsUnavailable},
	{503, "Shutdown", push.CodeAPNsUnavailable},
}

// TestAPNs lets FCM pass on every reason of Apple's table, under each of the
// statuses and error codes that it wraps them in.
func TestAPNs(t *testing.T) {
	t.Parallel()
	wraps := []struct {
		status       int
		name, detail string
		own          push.Code // what FCM itself says
	}{
		{400, "INVALID_ARGUMENT", errorCode("INVALID_ARGUMENT") + ",", push.CodeFCMInvalidUnspecified},
		{400, "INVALID_ARGUMENT", "", push.CodeFCMInvalidUnspecified},
		{401, "UNAUTHENTICATED", errorCode("THIRD_PARTY_AUTH_ERROR") + ",", push.CodeFCMThirdPartyAuth},
		{404, "NOT_FOUND", errorCode("UNREGISTERED") + ",", push.CodeFCMUnregistered},
		{500, "INTERNAL", errorCode("INTERNAL") + ",", push.CodeFCMInternal},
		{503, "UNAVAILABLE", errorCode("UNAVAILABLE") + ",", push.CodeFCMUnavailable},
	}
	for _, row := range applesTable {
		for _, w := range wraps {
			body := []byte(fcmError(w.name, "words", w.detail+apnsDetail(row.status, row.reason)))
			want := row.want
			if want == push.CodeOpen {
				want = w.own
			}
			e, unknown := classify(w.status, "", body, nil, time.Now())
			if e.Code != want || unknown != (unknownCodes{}) {
				t.Errorf("%s in a %d: got %v (%+v), want %v", row.reason, w.status, e.Code, unknown, want)
			}
		}
	}
}

// TestAPNsUnknown: what Apple may say next is counted, and judged by its status,
// or else by what FCM said.
func TestAPNsUnknown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		detail string
		want   push.Code
		count  bool
	}{
		{"gone", apnsDetail(410, "Vanished"), push.CodeFCMUnregistered, true},
		{"forbidden", apnsDetail(403, "KeyOnHoliday"), push.CodeFCMThirdPartyAuth, true},
		{"too large", apnsDetail(413, "Huge"), push.CodePayloadTooLarge, true},
		{"too many", apnsDetail(429, "Hurry"), push.CodeFCMDeviceQuota, true},
		{"failed", apnsDetail(500, "Oops"), push.CodeAPNsUnavailable, true},
		{"400", apnsDetail(400, "BadMood"), push.CodeFCMInvalidUnspecified, true},
		{"reason alone", apnsDetail(0, "BadMood"), push.CodeFCMInvalidUnspecified, true},
		{"status alone", apnsDetail(410, ""), push.CodeFCMUnregistered, false},
		{"neither", apnsDetail(0, ""), push.CodeFCMInvalidUnspecified, false},
		{"seen in the wild", apnsDetail(403, "BadEnvironmentKeyInToken"), push.CodeFCMThirdPartyAuth, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, unknown := classify(400, "", []byte(fcmError("INVALID_ARGUMENT", "?", errorCode("INVALID_ARGUMENT")+","+tc.detail)), nil, time.Now())
			if e.Code != tc.want || unknown.apns != tc.count {
				t.Errorf("got %v (counted: %t), want %v (%t)", e.Code, unknown.apns, tc.want, tc.count)
			}
		})
	}
}

// TestLiveActivity: a message with a token of its own for Apple says nothing
// about the device when that one is refused.
func TestLiveActivity(t *testing.T) {
	t.Parallel()
	request := []byte(`{"message":{"token":"t","apns":{"live_activity_token":"abc"}}}`)
	for _, reason := range []string{"BadDeviceToken", "Unregistered", "ExpiredToken"} {
		body := []byte(fcmError("INVALID_ARGUMENT", "?", apnsDetail(400, reason)))
		if e, _ := classify(400, "", body, request, time.Now()); e.Code != push.CodeAPNsLiveActivity {
			t.Errorf("%s: got %v", reason, e.Code)
		}
	}
	e, _ := classify(404, "", []byte(fcmError("NOT_FOUND", "?", errorCode("UNREGISTERED"))), request, time.Now())
	if e.Code != push.CodeFCMUnregistered {
		t.Errorf("what FCM says of its own token: got %v", e.Code)
	}
}
