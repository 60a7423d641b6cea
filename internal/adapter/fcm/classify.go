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

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/push"
)

// classify turns an answer that is not 2xx into an error, and tells what of it
// the tables don't know. The request, if it is given, is kept out of the words.
func classify(status int, retryAfter string, body, request []byte, now time.Time) (e *push.Error, unknown strange) {
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
		words = foreignWords(body)
	}
	e.Detail = withoutSecrets(a.evidence(status, words), request)
	return e, unknown
}

// strange says what an answer has that the tables don't know: a newer FCM or
// Apple. It is counted.
type strange struct{ fcm, apns bool }

// codeOf looks for the code where most is known first: what Apple said, what
// FCM said, what Google's platform said, the HTTP status, and the name of the
// status in the body, which may be all that a proxy left of it.
func codeOf(status int, a *answer, readable bool) (push.Code, strange) {
	var unknown strange
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
	if unknown.fcm && !temporary { // of FCM's health a code that we have not heard of says nothing new
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
	// A 400 that is not FCM's JSON comes from something on the way and says
	// nothing about the recipient.
	return push.CodeUnclassified, unknown
}

// refined tells apart what FCM has one code for.
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

// invalid tells a bad address from a bad message: a message is bad for every
// recipient, so the difference decides whether the others are asked. A
// BadRequest that names anything but the target is about the message, one that
// names nothing as well: FCM refuses what is too large like that. Without one,
// and without words about the token, there is no telling: Google's pages say
// that the token is the likely cause, and APNs payloads that are not what Apple
// wants get the same answer.
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

// quotaOf says whose quota it is. FCM tells by a QuotaFailure, or in its words
// only; its pages don't list their forms, so that what names neither a device nor
// a topic is the project's
// (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).
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
