package fcm

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/push"
)

// The tables. FCM's documentation lists the error codes at
// https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode and their
// meaning for retries at https://firebase.google.com/docs/cloud-messaging/error-codes.

// byErrorCode maps the errorCode of an FcmError detail, which says most.
// UNSPECIFIED_ERROR is absent: it says nothing, the HTTP status decides.
//
//nolint:gochecknoglobals // closed table; read-only
var byErrorCode = map[string]push.Code{
	"UNREGISTERED":           push.CodeFCMUnregistered,
	"INVALID_ARGUMENT":       push.CodeFCMInvalidArgument,
	"SENDER_ID_MISMATCH":     push.CodeFCMSenderIDMismatch,
	"THIRD_PARTY_AUTH_ERROR": push.CodeFCMThirdPartyAuth,
	"APNS_AUTH_ERROR":        push.CodeFCMThirdPartyAuth, // its former name, still known to Google's clients
	"QUOTA_EXCEEDED":         push.CodeFCMQuotaExceeded,
	"UNAVAILABLE":            push.CodeFCMUnavailable,
	"INTERNAL":               push.CodeFCMInternal,
}

const unspecifiedError = "UNSPECIFIED_ERROR"

// byStatus maps the HTTP status of an answer without an errorCode: from the
// platform in front of FCM, or from a proxy. 400 is absent, see classify.
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

// classify turns an answer that is not 2xx into an error. Detail may still hold
// an address that FCM echoed.
func classify(status int, retryAfter string, body []byte, now time.Time) *push.Error {
	answer, readable := parseAnswer(body)
	e := &push.Error{Code: codeOf(status, answer, readable), RetryAfter: answer.retryDelay}
	if after, ok := parseRetryAfter(retryAfter, now); ok {
		e.RetryAfter = after
	}
	e.Detail = "HTTP " + strconv.Itoa(status)
	if words := strings.TrimSpace(answer.message); words != "" {
		e.Detail += ": " + words
	}
	return e
}

func codeOf(status int, a answer, readable bool) push.Code {
	if a.errorCode != "" && a.errorCode != unspecifiedError {
		code, known := byErrorCode[a.errorCode]
		switch {
		case code == push.CodeFCMInvalidArgument:
			return invalid(a)
		case known:
			return code
		case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
			// A code that we have not heard of changes nothing about FCM's health.
		default:
			return push.CodeUnclassified
		}
	}
	if code, ok := byStatus[status]; ok {
		return code
	}
	if status == http.StatusBadRequest && readable {
		return invalid(a)
	}
	// A 400 that is not FCM's JSON comes from something on the way and says
	// nothing about the recipient.
	return push.CodeUnclassified
}

// invalid tells a bad address from a bad message: a message is bad for every
// recipient, so the difference decides whether the notification stops.
func invalid(a answer) push.Code {
	for _, field := range a.violations {
		switch field {
		case "message.token", "message.fid", "message.topic", "message.condition":
		default:
			return push.CodePayloadInvalid
		}
	}
	return push.CodeFCMInvalidArgument
}

// classifyTransport turns an error of the HTTP/2 client into ours; ctx's own
// error, which means that nothing was sent, stays as it is.
func classifyTransport(err error) error {
	var e *h2.Error
	if !errors.As(err, &e) {
		return err
	}
	return &push.Error{Code: netCode(e.Kind), Err: err}
}

func netCode(k h2.Kind) push.Code {
	switch k {
	case h2.Refused:
		return push.CodeNetRefused
	case h2.DNS:
		return push.CodeNetDNS
	case h2.TLS:
		return push.CodeNetTLS
	case h2.Reset:
		return push.CodeNetReset
	case h2.Timeout:
		return push.CodeNetTimeout
	default:
		return push.CodeUnclassified
	}
}

// maxRetryAfter bounds what a Retry-After is believed to mean: a day is as long
// as most notifications live.
const maxRetryAfter = 24 * time.Hour

// parseRetryAfter reads seconds or an HTTP date (RFC 9110 §10.2.3). A date in
// the past means now.
func parseRetryAfter(v string, now time.Time) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	if v == "" {
		return 0, false
	}
	if secs, err := strconv.ParseUint(v, 10, 64); err == nil {
		return time.Duration(min(secs, uint64(maxRetryAfter/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), maxRetryAfter), true
}
