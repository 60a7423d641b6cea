package fcm

import (
	"bytes"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
	"github.com/belfry-push/belfry/internal/push"
)

// classify turns an answer that is not 2xx into an error, and reports which codes of the answer are
// not in the tables. It keeps the address of the request, if there is one, out of the detail.
func classify(status int, retryAfter string, body, request []byte, now time.Time) (e *push.Error, unknown unknownCodes) {
	a, readable := parseAnswer(body)
	e = &push.Error{RetryAfter: a.retryDelay}
	e.Code, unknown = codeOf(status, &a, readable)
	if a.apns.given() && e.Code.Blame() == push.BlameDevice && bytes.Contains(request, []byte(`"live_activity_token"`)) {
		e.Code = push.CodeAPNsLiveActivity // that is the token which Apple was asked for, not the device's
	}
	if after, ok := parseRetryAfter(retryAfter, now); ok {
		e.RetryAfter = after
	}
	words := a.message
	if words == "" && !readable {
		words = foreignText(body)
	}
	e.Detail = withoutSecrets(a.evidence(status, words), request)
	return e, unknown
}

// unknownCodes reports which codes of an answer are not in the tables, because FCM or Apple is
// newer. Each is counted.
type unknownCodes struct{ fcm, apns bool }

// codeOf looks for the code in the most specific part first: Apple's reason, FCM's error code, the
// reason of Google's platform, the HTTP status, and last the name of the status in the body, which
// may be all that a proxy left.
func codeOf(status int, a *answer, readable bool) (push.Code, unknownCodes) {
	var unknown unknownCodes
	if a.apns.given() {
		code, ok := apnsCode(a.apns)
		if _, known := apnsReasons[a.apns.reason]; !known && a.apns.reason != "" {
			unknown.apns = true
		}
		if ok {
			return code, unknown
		}
	}
	for _, name := range []string{a.errorCode, a.reason} {
		if code, ok := byErrorCode[name]; ok {
			return refined(code, a), unknown
		}
	}
	unknown.fcm = a.errorCode != "" && a.errorCode != unspecifiedError
	if code, ok := byReason[a.reason]; ok {
		return code, unknown
	}
	temporary := status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
	if unknown.fcm && !temporary { // an unknown code says nothing about FCM's health
		return push.CodeUnclassified, unknown
	}
	if code, ok := byStatus[status]; ok {
		return refined(code, a), unknown
	}
	if status == http.StatusBadRequest && readable {
		return invalid(a), unknown
	}
	if code, ok := byStatusName[a.status]; ok && status != http.StatusBadRequest {
		return refined(code, a), unknown
	}
	// A 400 that is not FCM's JSON comes from a proxy and says nothing about the recipient.
	return push.CodeUnclassified, unknown
}

// refined distinguishes cases for which FCM has only one code.
func refined(code push.Code, a *answer) push.Code {
	if code == push.CodeFCMInvalidArgument {
		return invalid(a)
	}
	if code == push.CodeFCMQuotaExceeded {
		return quotaOf(a)
	}
	return code
}

// tooLarge are FCM's words for a message over its limit, for which it has no
// code: "Message is too large. The maximum is 4K (4096 bytes).", "Android
// message is too big". With them often come no details at all.
var tooLarge = regexp.MustCompile(`(?i)\b(message|payload|notification)\b.*\b(too (large|big)|exceeds)\b`)

// aboutToken are FCM's words for an address that it does not accept: "The
// registration token is not a valid FCM registration token".
var aboutToken = regexp.MustCompile(`(?i)\btokens?\b|\bfid\b|\binstallation\b`)

// invalid distinguishes a bad address from a bad message. A message is bad for every recipient, so
// this decides whether the others are sent to. A BadRequest that names a field other than the
// target is about the message. So is one that names no field: FCM refuses a message that is too
// large in this way. Without a BadRequest, and without words about the token, the two cannot be
// distinguished: Google's documentation calls the token the likely cause, but an APNs payload that
// Apple refuses gets the same answer.
func invalid(a *answer) push.Code {
	target := false
	for _, v := range a.violations {
		switch v.field {
		case "message.token", "message.fid", "message.topic", "message.condition":
			target = true
		default:
			return messageCode(a)
		}
	}
	switch {
	case target:
		return push.CodeFCMInvalidArgument
	case tooLarge.MatchString(a.message):
		return push.CodePayloadTooLarge
	case aboutToken.MatchString(a.message):
		return push.CodeFCMInvalidArgument
	case a.badRequest:
		return push.CodePayloadInvalid
	}
	return push.CodeFCMInvalidUnspecified
}

func messageCode(a *answer) push.Code {
	if tooLarge.MatchString(a.message) {
		return push.CodePayloadTooLarge
	}
	for _, v := range a.violations {
		if tooLarge.MatchString(v.description) {
			return push.CodePayloadTooLarge
		}
	}
	return push.CodePayloadInvalid
}

// quotaOf returns the code for the quota that was exceeded. FCM names it in a QuotaFailure or only
// in its message. Its documentation lists no forms, so an answer that names neither a device nor a
// topic counts as the project's (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).
func quotaOf(a *answer) push.Code {
	says := func(word string) bool {
		return strings.Contains(strings.ToLower(a.message), word) || slices.ContainsFunc(a.quotas, func(q violation) bool {
			return strings.Contains(strings.ToLower(q.field+" "+q.description), word)
		})
	}
	switch {
	case says("device"):
		return push.CodeFCMDeviceQuota
	case says("topic"):
		return push.CodeFCMTopicQuota
	}
	return push.CodeFCMQuotaExceeded
}

// classifyTransport turns an error of the transport into a push.Error. It returns ctx's own error,
// which means that nothing was sent, unchanged.
func classifyTransport(err error) error {
	var e *transport.Error
	if !errors.As(err, &e) {
		return err
	}
	return &push.Error{Code: netCode(e.Kind), Err: err}
}

func netCode(k transport.Kind) push.Code {
	switch k {
	case transport.Refused:
		return push.CodeNetRefused
	case transport.DNS:
		return push.CodeNetDNS
	case transport.TLS:
		return push.CodeNetTLS
	case transport.Reset:
		return push.CodeNetReset
	case transport.Timeout:
		return push.CodeNetTimeout
	default:
		return push.CodeUnclassified
	}
}

// maxRetryAfter bounds a Retry-After to one day, which is as long as most notifications live.
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
