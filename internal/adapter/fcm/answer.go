package fcm

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// answer is what matters of FCM's error body, a google.rpc.Status as JSON
// (https://cloud.google.com/apis/design/errors#http_mapping).
type answer struct {
	message    string
	status     string // name of a google.rpc.Code, as in INVALID_ARGUMENT
	errorCode  string // of the FcmError detail
	apns       apnsError
	badRequest bool          // there was a BadRequest detail
	violations []violation   // of BadRequest details
	quotas     []violation   // of QuotaFailure details: field is the subject
	reason     string        // of the first ErrorInfo detail
	domain     string        // likewise
	retryDelay time.Duration // of a RetryInfo detail
	others     []string      // details of types that we know nothing of: their names, with their reason
}

// apnsError is what Apple's push service told FCM
// (https://firebase.google.com/docs/reference/fcm/rest/v1/ApnsError).
type apnsError struct {
	status int    // HTTP status; 0 if it was not given
	reason string // see apnsReasons
}

func (e apnsError) given() bool { return e != apnsError{} }

// violation is something that is wrong with a field, or over a quota.
type violation struct{ field, description string }

// How much of an answer is read: the first violations and the first words are enough to tell the
// cause.
const (
	maxViolations = 8
	maxWords      = 1 << 10 // bytes of a message or description
)

// words cuts a text to what is read of it.
func words(s scalar) string { return string(s[:min(len(s), maxWords)]) }

// The types of details, by the last part of their names: Google has changed the rest before.
const (
	typeFCMError     = "FcmError"
	typeFCMErrorCode = "FcmErrorCode" // its former name
	typeAPNsError    = "ApnsError"
	typeBadRequest   = "BadRequest"
	typeQuotaFailure = "QuotaFailure"
	typeErrorInfo    = "ErrorInfo"
	typeRetryInfo    = "RetryInfo"
)

// parseAnswer reads an error body and reports whether FCM wrote it. It skips parts of an unknown
// type or shape: FCM may add some, and a proxy may cut or wrap the body. An error that is only a
// text is not one of FCM's, but its text is returned.
func parseAnswer(body []byte) (a answer, ok bool) {
	body = plain(body)
	envelope, ok := envelopeOf(body)
	if !ok {
		envelope, ok = envelopeOf(repaired(body))
	}
	if !ok {
		return answer{}, false
	}
	var e struct {
		Message scalar          `json:"message"`
		Status  scalar          `json:"status"`
		Details json.RawMessage `json:"details"`
	}
	if json.Unmarshal(envelope, &e) != nil {
		var text scalar
		_ = json.Unmarshal(envelope, &text) // it never fails
		return answer{message: words(text)}, false
	}
	a.message, a.status = words(e.Message), string(e.Status)
	for _, raw := range list(e.Details) {
		a.add(raw)
	}
	return a, true
}

// envelopeOf returns the member "error" of an object, or of the first object of
// an array, as Google's batch and streaming endpoints write it.
func envelopeOf(body []byte) (json.RawMessage, bool) {
	if items := list(body); len(items) > 0 {
		body = items[0]
	}
	var envelope struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &envelope) != nil || len(envelope.Error) == 0 || string(envelope.Error) == "null" {
		return nil, false
	}
	return envelope.Error, true
}

// add reads one detail. Where a type comes twice, the first tells.
func (a *answer) add(raw json.RawMessage) {
	var d struct {
		Type       scalar          `json:"@type"`
		ErrorCode  scalar          `json:"errorCode"`
		StatusCode scalar          `json:"statusCode"`
		Reason     scalar          `json:"reason"`
		Domain     scalar          `json:"domain"`
		RetryDelay scalar          `json:"retryDelay"`
		Fields     json.RawMessage `json:"fieldViolations"`
		Quotas     json.RawMessage `json:"violations"`
	}
	if json.Unmarshal(raw, &d) != nil || d.Type == "" {
		return
	}
	switch kind := string(d.Type[strings.LastIndexAny(string(d.Type), "/.")+1:]); kind {
	case typeFCMError, typeFCMErrorCode:
		if a.errorCode == "" {
			a.errorCode = string(d.ErrorCode)
		}
	case typeAPNsError:
		if !a.apns.given() {
			a.apns = apnsError{status: d.StatusCode.number(), reason: string(d.Reason)}
		}
	case typeBadRequest:
		a.badRequest = true
		a.violations = appendViolations(a.violations, d.Fields)
	case typeQuotaFailure:
		a.quotas = appendViolations(a.quotas, d.Quotas)
	case typeErrorInfo:
		if a.reason == "" {
			a.reason, a.domain = string(d.Reason), string(d.Domain)
		}
	case typeRetryInfo:
		if delay, err := time.ParseDuration(string(d.RetryDelay)); err == nil && delay > 0 {
			a.retryDelay = min(delay, maxRetryAfter)
		}
	default:
		if len(a.others) < maxViolations {
			a.others = append(a.others, strings.TrimSpace(kind+" "+string(d.Reason)))
		}
	}
}

func appendViolations(to []violation, raw json.RawMessage) []violation {
	for _, item := range list(raw) {
		var v struct {
			Field       scalar `json:"field"`
			Subject     scalar `json:"subject"`
			Description scalar `json:"description"`
		}
		if json.Unmarshal(item, &v) != nil || len(to) >= maxViolations {
			continue
		}
		to = append(to, violation{field: words(v.Field + v.Subject), description: words(v.Description)})
	}
	return to
}

// list returns the items of a JSON array, nil for anything else.
func list(raw []byte) []json.RawMessage {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	return items
}

// nameOf reads {"name":"projects/…/messages/…"}, the whole of FCM's answer to a message that it
// accepted. For any other body it returns "": the answer may not come from FCM, or does not say
// that FCM accepted the message.
func nameOf(body []byte) string {
	// This path takes a tenth of the time of decoding.
	if rest, ok := afterByte(body, '{'); ok {
		if rest, ok = bytes.CutPrefix(rest, []byte(`"name"`)); ok {
			if rest, ok = afterByte(rest, ':'); ok && len(rest) > 0 && rest[0] == '"' {
				value, rest, whole := bytes.Cut(rest[1:], []byte{'"'})
				rest = bytes.TrimLeft(rest, " \t\r\n")
				if whole && bytes.IndexByte(value, '\\') < 0 && (len(rest) == 0 || rest[0] == '}') {
					return messageName(string(value))
				}
			}
		}
	}
	var sent struct {
		Name  string          `json:"name"`
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(plain(body), &sent) != nil || len(sent.Error) > 0 {
		return ""
	}
	return messageName(sent.Name)
}

// afterByte returns what follows c, if b begins with it, without the surrounding white space.
func afterByte(b []byte, c byte) ([]byte, bool) {
	const white = " \t\r\n"
	b = bytes.TrimLeft(b, white)
	if len(b) == 0 || b[0] != c {
		return b, false
	}
	return bytes.TrimLeft(b[1:], white), true
}

// messageName returns name if it is the resource name of a message, else ""
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages#Message.FIELDS.name).
func messageName(name string) string {
	rest, ok := strings.CutPrefix(name, "projects/")
	project, id, found := strings.Cut(rest, "/messages/")
	if !ok || !found || project == "" || id == "" || !headerValue(name) {
		return ""
	}
	return name
}
