package sendapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/belfry-push/belfry/internal/fcmsim/oauth"
	"github.com/belfry-push/belfry/internal/fcmsim/protojson"
)

// The error answers of the send endpoint. Codes and details follow FCM's error reference
// (https://firebase.google.com/docs/cloud-messaging/error-codes); messages are those seen from the live service
// where it has been quoted publicly, because clients are known to look at them.

func quotaExceeded() *Answer {
	return newAnswer(codeQuotaExceeded, status{
		Code: http.StatusTooManyRequests, Status: "RESOURCE_EXHAUSTED", Message: "Quota exceeded.",
		Details: []any{newFcmError(codeQuotaExceeded)},
	})
}

func unavailable() *Answer {
	return newAnswer(codeUnavailable, status{
		Code: http.StatusServiceUnavailable, Status: "UNAVAILABLE", Message: "The service is currently unavailable.",
		Details: []any{newFcmError(codeUnavailable)},
	})
}

func internal() *Answer {
	return newAnswer(codeInternal, status{
		Code: http.StatusInternalServerError, Status: "INTERNAL", Message: "Internal error encountered.",
		Details: []any{newFcmError(codeInternal)},
	})
}

func unregistered() *Answer {
	return newAnswer(codeUnregistered, status{
		Code: http.StatusNotFound, Status: "NOT_FOUND", Message: "Requested entity was not found.",
		Details: []any{newFcmError(codeUnregistered)},
	})
}

func senderMismatch() *Answer {
	return newAnswer(codeSenderMismatch, status{
		Code: http.StatusForbidden, Status: "PERMISSION_DENIED", Message: "SenderId mismatch",
		Details: []any{newFcmError(codeSenderMismatch)},
	})
}

func thirdPartyAuth() *Answer {
	return newAnswer(codeThirdPartyAuth, status{
		Code: http.StatusUnauthorized, Status: "UNAUTHENTICATED", Message: "Auth error from APNS or Web Push Service",
		Details: []any{newFcmError(codeThirdPartyAuth)},
	})
}

// fromAPNs is an answer with what Apple's push service said, wrapped as FCM does: a key or certificate that Apple does
// not accept is a THIRD_PARTY_AUTH_ERROR, a device that is gone an INVALID_ARGUMENT, as quoted from the live service.
// How FCM wraps Apple's 429 and 5xx has not been seen; it is what its error codes mean.
func fromAPNs(statusCode int, reason string) *Answer {
	c, s := codeInvalidArgument, status{
		Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT", Message: "Request contains an invalid argument.",
	}
	switch {
	case statusCode == http.StatusGone:
		s.Message = "APNs device token is disabled."
	case statusCode == http.StatusForbidden:
		c, s = codeThirdPartyAuth, status{
			Code: http.StatusUnauthorized, Status: "UNAUTHENTICATED", Message: "Auth error from APNS or Web Push Service",
		}
	case statusCode == http.StatusTooManyRequests:
		c, s = codeQuotaExceeded, status{Code: http.StatusTooManyRequests, Status: "RESOURCE_EXHAUSTED", Message: "Quota exceeded."}
	case statusCode >= http.StatusInternalServerError:
		c, s = codeUnavailable, status{
			Code: http.StatusServiceUnavailable, Status: "UNAVAILABLE", Message: "The service is currently unavailable.",
		}
	}
	s.Details = []any{
		newFcmError(c), apnsError{Type: "type.googleapis.com/google.firebase.fcm.v1.ApnsError", StatusCode: statusCode, Reason: reason},
	}
	return newAnswer(c, s)
}

// overQuota is a QUOTA_EXCEEDED that says whose quota it is. That FCM adds a QuotaFailure stands in its reference; what
// is in it does not, and has not been quoted.
func overQuota(subject, description string) *Answer {
	return newAnswer(codeQuotaExceeded, status{
		Code: http.StatusTooManyRequests, Status: "RESOURCE_EXHAUSTED", Message: "Quota exceeded.",
		Details: []any{newFcmError(codeQuotaExceeded), quotaFailure{
			Type: "type.googleapis.com/google.rpc.QuotaFailure", Violations: []quotaViolation{{Subject: subject, Description: description}},
		}},
	})
}

// refusedCredential is an answer of Google's platform in front of FCM: 401 for what is about the access token, 403 for
// what is about its project (https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto).
func refusedCredential(reason string) *Answer {
	c, s := codePermission, status{Code: http.StatusForbidden, Status: "PERMISSION_DENIED", Message: "Permission denied: " + reason + "."}
	if strings.HasPrefix(reason, "ACCESS_TOKEN_EXPIRED") || strings.HasPrefix(reason, "ACCOUNT_") ||
		strings.HasPrefix(reason, "CREDENTIALS_") {
		c, s = codeUnauthenticated, status{
			Code: http.StatusUnauthorized, Status: "UNAUTHENTICATED", Message: "Request had invalid authentication credentials.",
		}
	}
	s.Details = []any{newErrorInfo(reason)}
	return newAnswer(c, s)
}

// invalidToken is the second example of the error reference: a FcmError and no BadRequest. (Live answers with both,
// the BadRequest naming message.token, have been quoted too.)
func invalidToken() *Answer {
	return newAnswer(codeInvalidArgument, status{
		Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT",
		Message: "The registration token is not a valid FCM registration token",
		Details: []any{newFcmError(codeInvalidArgument)},
	})
}

// unparsable is the first example of the error reference: the request does not fit the API's schema, so FCM itself
// never saw it and there is no FcmError.
func unparsable(violations []violation) *Answer {
	messages := make([]string, len(violations))
	for i, v := range violations {
		messages[i] = v.Description
	}
	return newAnswer(codeInvalidArgument, status{
		Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT", Message: strings.Join(messages, "\n"),
		Details: []any{newBadRequest(violations...)},
	})
}

// refusedBody is the answer to a body that is refused.
func refusedBody(r *protojson.Refusal) *Answer {
	switch r.Kind {
	case protojson.Unparsable:
		return unparsable(r.Violations)
	case protojson.Unacceptable:
		return unacceptable(r.Violations[0])
	case protojson.TooLarge:
		return tooLarge(r.Limit)
	case protojson.BadCondition:
	}
	return badCondition()
}

// notJSON is the answer to a body that does not say that it is JSON. How the live service answers that is not known; no
// client of FCM sends it, and web pages could send nothing else.
func notJSON() *Answer {
	return newAnswer(codeInvalidArgument, status{
		Code: http.StatusUnsupportedMediaType, Status: "INVALID_ARGUMENT", Message: "Content-Type must be application/json.",
	})
}

// unacceptable is FCM's own refusal of a request that fits the schema.
func unacceptable(v violation) *Answer {
	return newAnswer(codeInvalidArgument, status{
		Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT", Message: v.Description,
		Details: []any{newBadRequest(v), newFcmError(codeInvalidArgument)},
	})
}

// tooLarge has a BadRequest without field violations, as quoted from the live service. The text for topics follows
// that for devices; it has not been seen.
func tooLarge(limit int) *Answer {
	return newAnswer(codeInvalidArgument, status{
		Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT",
		Message: fmt.Sprintf("Message is too large. The maximum is %dK (%d bytes).", limit>>10, limit),
		Details: []any{newBadRequest(), newFcmError(codeInvalidArgument)},
	})
}

// badCondition has no details at all, as quoted from the live service.
func badCondition() *Answer {
	return newAnswer(codeInvalidArgument, status{
		Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT", Message: "Request contains an invalid argument.",
	})
}

// unauthenticated is the answer to a bearer token that is missing, unknown or expired, as reason says
// (https://docs.cloud.google.com/docs/authentication and RFC 6750 §3).
func unauthenticated(reason string) *Answer {
	const expected = "Expected OAuth 2 access token, login cookie or other valid authentication credential. " +
		"See https://developers.google.com/identity/sign-in/web/devconsole-project."
	message, challenge := "Request had invalid authentication credentials. ", `, error="invalid_token"`
	if reason == oauth.ReasonMissing {
		message, challenge = "Request is missing required authentication credential. ", ""
	}
	a := newAnswer(codeUnauthenticated, status{
		Code: http.StatusUnauthorized, Status: "UNAUTHENTICATED", Message: message + expected,
		Details: []any{newErrorInfo(reason)},
	})
	a.Header.Set("Www-Authenticate", `Bearer realm="https://accounts.google.com/"`+challenge)
	return a
}

// permissionDenied is the answer to a good credential at another project's door.
func permissionDenied(project string) *Answer {
	return newAnswer(codePermission, status{
		Code: http.StatusForbidden, Status: "PERMISSION_DENIED",
		Message: fmt.Sprintf("Permission 'cloudmessaging.messages.create' denied on resource "+
			"'//cloudresourcemanager.googleapis.com/projects/%s' (or it may not exist).", project),
		Details: []any{newErrorInfo("IAM_PERMISSION_DENIED")},
	})
}
