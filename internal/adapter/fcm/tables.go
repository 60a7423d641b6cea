package fcm

import (
	"net/http"

	"github.com/belfry-push/belfry/internal/push"
)

// The tables. FCM's documentation lists the error codes at
// https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode and their
// meaning for retries at https://firebase.google.com/docs/cloud-messaging/error-codes.

// byErrorCode maps the errorCode of an FcmError detail, or the reason of an
// ErrorInfo that has one of these. UNSPECIFIED_ERROR is absent: it says nothing.
//
//nolint:gochecknoglobals // closed table; read-only
var byErrorCode = map[string]push.Code{
	"UNREGISTERED":           push.CodeFCMUnregistered,
	"INVALID_ARGUMENT":       push.CodeFCMInvalidArgument, // see refined
	"SENDER_ID_MISMATCH":     push.CodeFCMSenderIDMismatch,
	"THIRD_PARTY_AUTH_ERROR": push.CodeFCMThirdPartyAuth,
	"APNS_AUTH_ERROR":        push.CodeFCMThirdPartyAuth, // its former name, still known to Google's clients
	"QUOTA_EXCEEDED":         push.CodeFCMQuotaExceeded,  // see refined
	"UNAVAILABLE":            push.CodeFCMUnavailable,
	"INTERNAL":               push.CodeFCMInternal,
}

const unspecifiedError = "UNSPECIFIED_ERROR"

// byReason maps the reason of an ErrorInfo detail, by which Google's platform
// says what is wrong with a credential or its project, whatever the HTTP status:
// an invalid API key is a 400
// (https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto).
//
//nolint:gochecknoglobals // closed table; read-only
var byReason = map[string]push.Code{
	"SERVICE_DISABLED":                    push.CodeFCMForbidden,
	"SERVICE_NOT_VISIBLE":                 push.CodeFCMForbidden,
	"BILLING_DISABLED":                    push.CodeFCMForbidden,
	"CONSUMER_SUSPENDED":                  push.CodeFCMForbidden,
	"CONSUMER_INVALID":                    push.CodeFCMForbidden,
	"GCP_SUSPENDED":                       push.CodeFCMForbidden,
	"USER_PROJECT_DENIED":                 push.CodeFCMForbidden,
	"USER_BLOCKED_BY_ADMIN":               push.CodeFCMForbidden,
	"IAM_PERMISSION_DENIED":               push.CodeFCMForbidden,
	"SECURITY_POLICY_VIOLATED":            push.CodeFCMForbidden,
	"LOCATION_POLICY_VIOLATED":            push.CodeFCMForbidden,
	"LOCATION_TAX_POLICY_VIOLATED":        push.CodeFCMForbidden,
	"ORG_RESTRICTION_VIOLATION":           push.CodeFCMForbidden,
	"RESOURCE_USAGE_RESTRICTION_VIOLATED": push.CodeFCMForbidden,
	"ACCESS_TOKEN_SCOPE_INSUFFICIENT":     push.CodeFCMForbidden,
	"API_KEY_INVALID":                     push.CodeFCMForbidden,
	"API_KEY_SERVICE_BLOCKED":             push.CodeFCMForbidden,
	"API_KEY_HTTP_REFERRER_BLOCKED":       push.CodeFCMForbidden,
	"API_KEY_IP_ADDRESS_BLOCKED":          push.CodeFCMForbidden,
	"ACCOUNT_STATE_INVALID":               push.CodeFCMUnauthorized,
	"ACCESS_TOKEN_EXPIRED":                push.CodeFCMUnauthorized,
	"ACCESS_TOKEN_TYPE_UNSUPPORTED":       push.CodeFCMUnauthorized,
	"CREDENTIALS_MISSING":                 push.CodeFCMUnauthorized,
	"SESSION_COOKIE_INVALID":              push.CodeFCMUnauthorized,
	"RATE_LIMIT_EXCEEDED":                 push.CodeFCMQuotaExceeded,
	"RESOURCE_QUOTA_EXCEEDED":             push.CodeFCMQuotaExceeded,
}

// byStatus maps the HTTP status of an answer without an errorCode: from the
// platform in front of FCM, or from a proxy. 400 is absent, see codeOf.
//
//nolint:gochecknoglobals // closed table; read-only
var byStatus = map[int]push.Code{
	http.StatusUnauthorized:          push.CodeFCMUnauthorized,
	http.StatusForbidden:             push.CodeFCMForbidden,
	http.StatusNotFound:              push.CodeFCMForbidden, // the project, not a token: that has UNREGISTERED
	http.StatusRequestEntityTooLarge: push.CodePayloadTooLarge,
	http.StatusTooManyRequests:       push.CodeFCMQuotaExceeded,
	http.StatusInternalServerError:   push.CodeFCMInternal,
	http.StatusBadGateway:            push.CodeFCMUnavailable,
	http.StatusServiceUnavailable:    push.CodeFCMUnavailable,
	http.StatusGatewayTimeout:        push.CodeFCMUnavailable,
}

// byStatusName maps the name of the status in the body (google.rpc.Code), which
// is asked where the HTTP status is none of FCM's. What FCM says with a 400 or
// a 404 is absent: under another status it is not known whether FCM said it.
//
//nolint:gochecknoglobals // closed table; read-only
var byStatusName = map[string]push.Code{
	"UNAUTHENTICATED":    push.CodeFCMUnauthorized,
	"PERMISSION_DENIED":  push.CodeFCMForbidden,
	"RESOURCE_EXHAUSTED": push.CodeFCMQuotaExceeded,
	"INTERNAL":           push.CodeFCMInternal,
	"UNAVAILABLE":        push.CodeFCMUnavailable,
	"DEADLINE_EXCEEDED":  push.CodeFCMUnavailable,
}

// apnsReasons are the reasons that Apple's push service gives, in the order of
// its table
// (https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns).
// CodeOpen leaves it to what FCM itself says: such an answer is about FCM's own
// request to Apple.
//
//nolint:gochecknoglobals // closed table; read-only
var apnsReasons = map[string]push.Code{
	// 400
	"BadCollapseId":          push.CodePayloadInvalid,
	"BadDeviceToken":         push.CodeAPNsBadDeviceToken,
	"BadExpirationDate":      push.CodePayloadInvalid,
	"BadMessageId":           push.CodePayloadInvalid,
	"BadPriority":            push.CodePayloadInvalid,
	"BadTopic":               push.CodeAPNsTopic,
	"DeviceTokenNotForTopic": push.CodeAPNsTopic,
	"DuplicateHeaders":       push.CodePayloadInvalid,
	"IdleTimeout":            push.CodeAPNsUnavailable,
	"InvalidPushType":        push.CodePayloadInvalid,
	"MissingDeviceToken":     push.CodeAPNsBadDeviceToken,
	"MissingTopic":           push.CodeAPNsTopic,
	"PayloadEmpty":           push.CodePayloadInvalid,
	"TopicDisallowed":        push.CodeAPNsTopic,
	// 403
	"BadCertificate":             push.CodeFCMThirdPartyAuth,
	"BadCertificateEnvironment":  push.CodeFCMThirdPartyAuth,
	"BadEnvironmentKeyIdInToken": push.CodeFCMThirdPartyAuth,
	"BadEnvironmentKeyInToken":   push.CodeFCMThirdPartyAuth, // seen, and in no table of Apple's
	"ExpiredProviderToken":       push.CodeAPNsUnavailable,   // FCM makes that token, and a new one every hour
	"Forbidden":                  push.CodeFCMThirdPartyAuth,
	"InvalidProviderToken":       push.CodeFCMThirdPartyAuth,
	"MissingProviderToken":       push.CodeFCMThirdPartyAuth,
	"UnrelatedKeyIdInToken":      push.CodeFCMThirdPartyAuth,
	// 404, 405
	"BadPath":          push.CodeOpen,
	"MethodNotAllowed": push.CodeOpen,
	// 410
	"ExpiredToken": push.CodeFCMUnregistered,
	"Unregistered": push.CodeFCMUnregistered,
	// 413
	"PayloadTooLarge": push.CodePayloadTooLarge,
	// 429
	"TooManyProviderTokenUpdates": push.CodeAPNsUnavailable, // of FCM's own tokens
	"TooManyRequests":             push.CodeFCMDeviceQuota,
	// 500, 503
	"InternalServerError": push.CodeAPNsUnavailable,
	"ServiceUnavailable":  push.CodeAPNsUnavailable,
	"Shutdown":            push.CodeAPNsUnavailable,
	// Broadcast to channels, which FCM does not offer yet; 400 but for the last.
	"BadChannelId":         push.CodePayloadInvalid,
	"ChannelNotRegistered": push.CodePayloadInvalid,
	"MissingChannelId":     push.CodePayloadInvalid,
	"MissingPushType":      push.CodePayloadInvalid,
	"TopicMismatch":        push.CodeAPNsTopic,
	"FeatureNotEnabled":    push.CodeAPNsTopic,
}

// apnsStatuses is asked for a reason that is not in the table, or none.
//
//nolint:gochecknoglobals // closed table; read-only
var apnsStatuses = map[int]push.Code{
	http.StatusForbidden:             push.CodeFCMThirdPartyAuth,
	http.StatusGone:                  push.CodeFCMUnregistered,
	http.StatusRequestEntityTooLarge: push.CodePayloadTooLarge,
	http.StatusTooManyRequests:       push.CodeFCMDeviceQuota,
	http.StatusInternalServerError:   push.CodeAPNsUnavailable,
	http.StatusServiceUnavailable:    push.CodeAPNsUnavailable,
}

// apnsCode returns the code for what Apple said, and false where that says
// nothing that FCM's own words would not say better.
func apnsCode(e apnsError) (push.Code, bool) {
	code, known := apnsReasons[e.reason]
	if !known {
		code = apnsStatuses[e.status]
	}
	return code, code != push.CodeOpen
}
