package push

import "time"

// Facts is what the taxonomy says of one code.
type Facts struct {
	Code  Code
	Name  string // as in the API, metric labels and the ledger's reports
	Class Class

	// Planned codes have a number and a name, but nothing ends with one yet: lists
	// do not offer to filter by them.
	Planned bool
	// Terminal codes end a delivery; the others say why it will be tried again.
	Terminal bool
	// Sick codes tell of the provider's or the credential's health and count
	// as failures for the breaker. A recipient's own faults never do.
	Sick bool
	// Unreached codes are of requests that surely never got into FCM: there was
	// no connection or no access token, or the credential was turned away at the
	// door. They say nothing about the message, so trying again costs time until
	// the delivery expires, and never one of its attempts.
	Unreached bool
	// MaybeDelivered codes may follow a message that FCM did take: a retry is
	// flagged possible_duplicate, and an at-most-once delivery ends as unknown.
	MaybeDelivered bool
	// FirstWait is the least wait before the next attempt when the answer
	// carried no Retry-After.
	FirstWait time.Duration
	// Blame says what a permanent refusal is about.
	Blame Blame
	// Meaning is one sentence for an operator.
	Meaning string
}

// Blame says what a permanent refusal is about. It decides whether the device is
// quarantined, and whether others would be refused for the same reason. The set
// is closed; switches over it are exhaustive.
type Blame uint8

// What a refusal may be about.
const (
	BlameNobody   Blame = iota // the code is no refusal
	BlameDevice                // the address is dead: quarantined
	BlameToken                 // the address is not valid: quarantined if the message was good for others
	BlameUnclear               // the address or the message: quarantined likewise, and maybe the same for all
	BlameMessage               // the message: the same for all who get it
	BlamePlatform              // the app's key or topic at a platform's own push service: the same for all of that platform
	BlameProject               // the address belongs to another project: the same for all, if the credential is the wrong one
)

// Shared reports whether others of the same notification may expect the same
// refusal: it is not, or not surely, about the one address.
func (b Blame) Shared() bool { return b >= BlameUnclear }

// FCM's own floors for retries: 429 without Retry-After waits 60 s, a server
// error at least 10 s (https://firebase.google.com/docs/cloud-messaging/scale-fcm).
const (
	waitQuota  = 60 * time.Second
	waitServer = 10 * time.Second
	waitNet    = time.Second // the request never reached FCM: its floors do not apply
)

//nolint:gochecknoglobals // the closed table of the taxonomy; read-only
var taxonomy = [...]Facts{
	{Code: CodeSent, Name: "sent", Class: ClassSent, Terminal: true, Meaning: "FCM accepted the message."},

	{
		Code: CodeFCMUnavailable, Name: "fcm.unavailable", Class: ClassRetryable, Sick: true, MaybeDelivered: true, FirstWait: waitServer,
		Meaning: "FCM answered 502, 503 or 504: it is overloaded or down.",
	},
	{
		Code: CodeFCMInternal, Name: "fcm.internal", Class: ClassRetryable, Sick: true, MaybeDelivered: true, FirstWait: waitServer,
		Meaning: "FCM answered 500: it failed inside.",
	},
	{
		Code: CodeFCMQuotaExceeded, Name: "fcm.quota_exceeded", Class: ClassRetryable, FirstWait: waitQuota,
		Meaning: "FCM answered 429: the project is over its rate, or FCM did not say who is.",
	},
	{
		Code: CodeFCMDeviceQuota, Name: "fcm.device_quota", Class: ClassRetryable, FirstWait: waitQuota,
		Meaning: "The device gets messages faster than FCM or APNs allows for one device (429); others are not slowed.",
	},
	{
		Code: CodeFCMTopicQuota, Name: "fcm.topic_quota", Class: ClassRetryable, FirstWait: waitQuota,
		Meaning: "The topic gets messages faster than FCM allows for one topic (429); others are not slowed.",
	},
	{
		Code: CodeFCMUnauthorized, Name: "fcm.unauthorized", Class: ClassRetryable, Sick: true, Unreached: true, FirstWait: waitQuota,
		Meaning: "FCM refused our access token (401): the service account or the clock is wrong.",
	},
	{
		Code: CodeFCMForbidden, Name: "fcm.forbidden", Class: ClassRetryable, Sick: true, Unreached: true, FirstWait: waitQuota,
		Meaning: "FCM refused the credential for this project (403, or 404 of the project): a role, the API or the project id is wrong.",
	},
	{
		Code: CodeNetRefused, Name: "net.refused", Class: ClassRetryable, Sick: true, Unreached: true, FirstWait: waitNet,
		Meaning: "FCM could not be reached; the request was certainly not processed.",
	},
	{
		Code: CodeNetDNS, Name: "net.dns", Class: ClassRetryable, Sick: true, Unreached: true, FirstWait: waitNet,
		Meaning: "The name of FCM's endpoint did not resolve.",
	},
	{
		Code: CodeNetTLS, Name: "net.tls", Class: ClassRetryable, Sick: true, Unreached: true, FirstWait: waitNet,
		Meaning: "The TLS handshake with FCM's endpoint failed.",
	},
	{
		Code: CodeCredential, Name: "credential", Class: ClassRetryable, Sick: true, Unreached: true, FirstWait: waitServer,
		Meaning: "No access token could be fetched for the service account.",
	},
	{
		Code: CodeAPNsUnavailable, Name: "apns.unavailable", Class: ClassRetryable, MaybeDelivered: true, FirstWait: waitServer,
		Meaning: "Apple's push service failed or was overloaded behind FCM; Android and web are not concerned.",
	},
	{
		Code: CodeUnclassified, Name: "unclassified", Class: ClassRetryable, MaybeDelivered: true, FirstWait: waitServer,
		Meaning: "FCM answered something that the taxonomy does not know.",
	},

	{
		Code: CodeNetTimeout, Name: "net.timeout", Class: ClassAmbiguous, Sick: true, MaybeDelivered: true, FirstWait: waitServer,
		Meaning: "FCM did not answer in time; it may have delivered.",
	},
	{
		Code: CodeNetReset, Name: "net.reset", Class: ClassAmbiguous, Sick: true, MaybeDelivered: true, FirstWait: waitServer,
		Meaning: "The connection broke after the request was written; FCM may have delivered.",
	},
	{
		Code: CodeFCMNoName, Name: "fcm.no_name", Class: ClassAmbiguous, Sick: true, MaybeDelivered: true, FirstWait: waitServer,
		Meaning: "The answer was a success (2xx) without a message name: not FCM, or FCM cut short; it may have delivered.",
	},
	{
		Code: CodeUnknown, Name: "unknown", Class: ClassAmbiguous, Terminal: true,
		Meaning: "At-most-once delivery that may have happened; it is not tried again.",
	},

	{
		Code: CodeFCMUnregistered, Name: "fcm.unregistered", Class: ClassPermanent, Terminal: true, Blame: BlameDevice,
		Meaning: "The app instance is gone (404 UNREGISTERED, or APNs 410); the device is quarantined.",
	},
	{
		Code: CodeFCMInvalidArgument, Name: "fcm.invalid_argument", Class: ClassPermanent, Terminal: true, Blame: BlameToken,
		Meaning: "FCM called the token invalid (400 INVALID_ARGUMENT); the device is quarantined if the same message was accepted for others.",
	},
	{
		Code: CodeFCMSenderIDMismatch, Name: "fcm.sender_id_mismatch", Class: ClassPermanent, Terminal: true, Blame: BlameProject,
		Meaning: "The token belongs to another Firebase project (403 SENDER_ID_MISMATCH).",
	},
	{
		Code: CodeFCMThirdPartyAuth, Name: "fcm.third_party_auth", Class: ClassPermanent, Terminal: true, Blame: BlamePlatform,
		Meaning: "The APNs key or certificate, or the web push key, is missing or invalid (401 THIRD_PARTY_AUTH_ERROR).",
	},
	{
		Code: CodePayloadInvalid, Name: "payload.invalid", Class: ClassPermanent, Terminal: true, Blame: BlameMessage,
		Meaning: "The message itself is invalid (400 with BadRequest, or a header that APNs refused); every recipient would fail.",
	},
	{
		Code: CodePayloadTooLarge, Name: "payload.too_large", Class: ClassPermanent, Terminal: true, Blame: BlameMessage,
		Meaning: "The message is over FCM's limit of 4,096 bytes.",
	},
	{
		Code: CodeFCMInvalidUnspecified, Name: "fcm.invalid_unspecified", Class: ClassPermanent, Terminal: true, Blame: BlameUnclear,
		Meaning: "FCM refused the request as invalid (400 INVALID_ARGUMENT) and did not say whether the token or the message is.",
	},
	{
		Code: CodeAPNsBadDeviceToken, Name: "apns.bad_device_token", Class: ClassPermanent, Terminal: true, Blame: BlameDevice,
		Meaning: "Apple's push service refused the device's token: it is not valid, or of the other environment (sandbox or production); the " +
			"device is quarantined.",
	},
	{
		Code: CodeAPNsTopic, Name: "apns.topic", Class: ClassPermanent, Terminal: true, Blame: BlamePlatform,
		Meaning: "Apple's push service refused the topic: bundle id, apns-topic, and the key or certificate don't fit the device's app.",
	},
	{
		Code: CodeAPNsLiveActivity, Name: "apns.live_activity", Class: ClassPermanent, Terminal: true, Blame: BlameMessage,
		Meaning: "Apple's push service refused the message's live_activity_token: the activity has ended, or the token is not valid.",
	},

	{
		Code: CodeDeviceQuarantined, Name: "device.quarantined", Class: ClassSuppressed, Terminal: true,
		Meaning: "The device is in quarantine: its address was called dead or invalid before.",
	},
	{
		Code: CodeNoDevice, Name: "no_device", Class: ClassSuppressed, Terminal: true, Meaning: "The user or device id has no registered device.",
	},
	{
		Code: CodeDuplicate, Name: "duplicate", Class: ClassSuppressed, Terminal: true,
		Meaning: "The same address stands earlier in the same notification.",
	},
	{
		Code: CodeUserOptedOut, Name: "user.opted_out", Class: ClassSuppressed, Planned: true, Terminal: true,
		Meaning: "The user opted out of this kind of notification.",
	},
	{
		Code: CodeCapFrequency, Name: "cap.frequency", Class: ClassSuppressed, Planned: true, Terminal: true,
		Meaning: "The user already got as many notifications as the cap allows.",
	},
	{
		Code: CodeUserErased, Name: "user.erased", Class: ClassSuppressed, Terminal: true,
		Meaning: "The user was erased on request, and has not registered anew since this was accepted; nothing is sent to it.",
	},

	{Code: CodeExpired, Name: "expired", Class: ClassExpired, Terminal: true, Meaning: "expires_at passed before it could be sent."},

	{Code: CodeCancelled, Name: "cancelled", Class: ClassCancelled, Terminal: true, Meaning: "The caller cancelled the notification."},

	{
		Code: CodeAttemptsExhausted, Name: "attempts_exhausted", Class: ClassDeadLettered, Terminal: true,
		Meaning: "Every attempt failed; the last code is kept as evidence.",
	},
	{
		Code: CodeUnexpandable, Name: "unexpandable", Class: ClassDeadLettered, Terminal: true,
		Meaning: "The notification could not be turned into chunks.",
	},
	{
		Code: CodeUndecodable, Name: "undecodable", Class: ClassDeadLettered, Terminal: true,
		Meaning: "A queue message could not be read; its bytes are kept.",
	},
	{
		Code: CodePoison, Name: "poison", Class: ClassDeadLettered, Terminal: true,
		Meaning: "Workers died again and again while they sent to this recipient and to nobody else, so it may have been delivered; or a " +
			"whole queue message was received too often without a verdict.",
	},
	{
		Code: CodeUndelivered, Name: "undelivered", Class: ClassDeadLettered, Terminal: true,
		Meaning: "SNS could not deliver the event to its queue: it was never handled.",
	},
}

//nolint:gochecknoglobals // index over taxonomy by code; read-only
var byCode = func() (idx [128]*Facts) {
	for i := range taxonomy {
		idx[taxonomy[i].Code] = &taxonomy[i]
	}
	return idx
}()
