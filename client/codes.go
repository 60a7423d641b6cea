package client

// Code is the reason why a delivery stands where it stands. Servers may know
// more codes than these: go by the [Class] then.
type Code string

// CodeOpen is no outcome yet.
const CodeOpen Code = "open"

// The codes of class sent.
const (
	// CodeSent: FCM accepted the message.
	CodeSent Code = "sent"
)

// The codes of class retryable: of an attempt, which is followed by another.
const (
	// CodeFCMUnavailable: FCM answered 502, 503 or 504: it is overloaded or down.
	CodeFCMUnavailable Code = "fcm.unavailable"
	// CodeFCMInternal: FCM answered 500: it failed inside.
	CodeFCMInternal Code = "fcm.internal"
	// CodeFCMQuotaExceeded: FCM answered 429: the project is over its rate, or FCM did not say who is.
	CodeFCMQuotaExceeded Code = "fcm.quota_exceeded"
	// CodeFCMDeviceQuota: The device gets messages faster than FCM or APNs allows for one device (429); others are not slowed.
	CodeFCMDeviceQuota Code = "fcm.device_quota"
	// CodeFCMTopicQuota: The topic gets messages faster than FCM allows for one topic (429); others are not slowed.
	CodeFCMTopicQuota Code = "fcm.topic_quota"
	// CodeFCMUnauthorized: FCM refused our access token (401): the service account or the clock is wrong.
	CodeFCMUnauthorized Code = "fcm.unauthorized"
	// CodeFCMForbidden: FCM refused the credential for this project (403, or 404 of the project): a role, the API or the project id is wrong.
	CodeFCMForbidden Code = "fcm.forbidden"
	// CodeNetRefused: FCM could not be reached; the request was certainly not processed.
	CodeNetRefused Code = "net.refused"
	// CodeNetDNS: The name of FCM's endpoint did not resolve.
	CodeNetDNS Code = "net.dns"
	// CodeNetTLS: The TLS handshake with FCM's endpoint failed.
	CodeNetTLS Code = "net.tls"
	// CodeCredential: No access token could be fetched for the service account.
	CodeCredential Code = "credential"
	// CodeAPNsUnavailable: Apple's push service failed or was overloaded behind FCM; Android and web are not concerned.
	CodeAPNsUnavailable Code = "apns.unavailable"
	// CodeUnclassified: FCM answered something that the taxonomy does not know.
	CodeUnclassified Code = "unclassified"
)

// The codes of class ambiguous.
const (
	// CodeNetTimeout: FCM did not answer in time; it may have delivered.
	CodeNetTimeout Code = "net.timeout"
	// CodeNetReset: The connection broke after the request was written; FCM may have delivered.
	CodeNetReset Code = "net.reset"
	// CodeFCMNoName: The answer was a success (2xx) without a message name: not FCM, or FCM cut short; it may have delivered.
	CodeFCMNoName Code = "fcm.no_name"
	// CodeUnknown: At-most-once delivery that may have happened; it is not tried again.
	CodeUnknown Code = "unknown"
)

// The codes of class permanent.
const (
	// CodeFCMUnregistered: The app instance is gone (404 UNREGISTERED, or APNs 410); the device is quarantined.
	CodeFCMUnregistered Code = "fcm.unregistered"
	// CodeFCMInvalidArgument: FCM called the token invalid (400 INVALID_ARGUMENT); the device is quarantined if the same
	// message was accepted for others.
	CodeFCMInvalidArgument Code = "fcm.invalid_argument"
	// CodeFCMSenderIDMismatch: The token belongs to another Firebase project (403 SENDER_ID_MISMATCH).
	CodeFCMSenderIDMismatch Code = "fcm.sender_id_mismatch"
	// CodeFCMThirdPartyAuth: The APNs key or certificate, or the web push key, is missing or invalid (401 THIRD_PARTY_AUTH_ERROR).
	CodeFCMThirdPartyAuth Code = "fcm.third_party_auth"
	// CodePayloadInvalid: The message itself is invalid (400 with BadRequest, or a header that APNs refused); every recipient would fail.
	CodePayloadInvalid Code = "payload.invalid"
	// CodePayloadTooLarge: The message is over FCM's limit of 4,096 bytes.
	CodePayloadTooLarge Code = "payload.too_large"
	// CodeFCMInvalidUnspecified: FCM refused the request as invalid (400 INVALID_ARGUMENT) and did not say whether the
	// token or the message is.
	CodeFCMInvalidUnspecified Code = "fcm.invalid_unspecified"
	// CodeAPNsBadDeviceToken: Apple's push service refused the device's token: it is not valid, or of the other
	// environment (sandbox or production); the device is quarantined.
	CodeAPNsBadDeviceToken Code = "apns.bad_device_token" //nolint:gosec // an outcome, no credential
	// CodeAPNsTopic: Apple's push service refused the topic: bundle id, apns-topic, and the key or certificate don't fit the device's app.
	CodeAPNsTopic Code = "apns.topic"
	// CodeAPNsLiveActivity: Apple's push service refused the message's live_activity_token: the activity has ended, or the token is not valid.
	CodeAPNsLiveActivity Code = "apns.live_activity"
)

// The codes of class suppressed.
const (
	// CodeDeviceQuarantined: The device is in quarantine: its address was called dead or invalid before.
	CodeDeviceQuarantined Code = "device.quarantined"
	// CodeNoDevice: The user or device id has no registered device.
	CodeNoDevice Code = "no_device"
	// CodeDuplicate: The same address stands earlier in the same notification.
	CodeDuplicate Code = "duplicate"
	// CodeUserOptedOut: The user opted out of this kind of notification.
	CodeUserOptedOut Code = "user.opted_out"
	// CodeCapFrequency: The user already got as many notifications as the cap allows.
	CodeCapFrequency Code = "cap.frequency"
	// CodeUserErased: The user was erased on request, and has not registered anew since this was accepted; nothing is sent to it.
	CodeUserErased Code = "user.erased"
)

// The codes of class expired.
const (
	// CodeExpired: expires_at passed before it could be sent.
	CodeExpired Code = "expired"
)

// The codes of class cancelled.
const (
	// CodeCancelled: The caller cancelled the notification.
	CodeCancelled Code = "cancelled"
)

// The codes of class dead_lettered.
const (
	// CodeAttemptsExhausted: Every attempt failed; the last code is kept as evidence.
	CodeAttemptsExhausted Code = "attempts_exhausted"
	// CodeUnexpandable: The notification could not be turned into chunks.
	CodeUnexpandable Code = "unexpandable"
	// CodeUndecodable: A queue message could not be read; its bytes are kept.
	CodeUndecodable Code = "undecodable"
	// CodePoison: Workers died again and again while they sent to this recipient and to nobody else, so it may have been
	// delivered; or a whole queue message was received too often without a verdict.
	CodePoison Code = "poison"
	// CodeUndelivered: SNS could not deliver the event to its queue: it was never handled.
	CodeUndelivered Code = "undelivered"
)

// Codes lists every outcome code, by class.
func Codes() []Code {
	return []Code{
		CodeSent,
		CodeFCMUnavailable, CodeFCMInternal, CodeFCMQuotaExceeded, CodeFCMDeviceQuota, CodeFCMTopicQuota, CodeFCMUnauthorized,
		CodeFCMForbidden, CodeNetRefused, CodeNetDNS, CodeNetTLS, CodeCredential, CodeAPNsUnavailable, CodeUnclassified,
		CodeNetTimeout, CodeNetReset, CodeFCMNoName, CodeUnknown,
		CodeFCMUnregistered, CodeFCMInvalidArgument, CodeFCMSenderIDMismatch, CodeFCMThirdPartyAuth, CodePayloadInvalid, CodePayloadTooLarge,
		CodeFCMInvalidUnspecified, CodeAPNsBadDeviceToken, CodeAPNsTopic, CodeAPNsLiveActivity,
		CodeDeviceQuarantined, CodeNoDevice, CodeDuplicate, CodeUserOptedOut, CodeCapFrequency, CodeUserErased,
		CodeExpired,
		CodeCancelled,
		CodeAttemptsExhausted, CodeUnexpandable, CodeUndecodable, CodePoison, CodeUndelivered,
	}
}
