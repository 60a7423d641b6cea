package fcm

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// answer is what matters of FCM's error body, a google.rpc.Status as JSON
// (https://cloud.google.com/apis/design/errors#http_mapping).
type answer struct {
	message    string
	errorCode  string        // of the FcmError detail
	violations []string      // fields that a BadRequest detail names
	retryDelay time.Duration // of a RetryInfo detail
}

// The details' types, without the "type.googleapis.com/" before them.
const (
	typeFCMError   = "google.firebase.fcm.v1.FcmError"
	typeBadRequest = "google.rpc.BadRequest"
	typeRetryInfo  = "google.rpc.RetryInfo"
)

// parseAnswer reads an error body and tells whether it is one of FCM's. Details
// that are of no known type or shape are skipped, since FCM may add some.
func parseAnswer(body []byte) (a answer, ok bool) {
	var envelope struct {
		Error *struct {
			Message string            `json:"message"`
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Error == nil {
		return answer{}, false
	}
	a.message = envelope.Error.Message
	for _, raw := range envelope.Error.Details {
		var detail struct {
			Type       string `json:"@type"`
			ErrorCode  string `json:"errorCode"`
			RetryDelay string `json:"retryDelay"`
			Violations []struct {
				Field string `json:"field"`
			} `json:"fieldViolations"`
		}
		if err := json.Unmarshal(raw, &detail); err != nil {
			continue
		}
		switch detail.Type[strings.LastIndexByte(detail.Type, '/')+1:] {
		case typeFCMError:
			if a.errorCode == "" {
				a.errorCode = detail.ErrorCode
			}
		case typeBadRequest:
			for _, v := range detail.Violations {
				a.violations = append(a.violations, v.Field)
			}
		case typeRetryInfo:
			if d, err := time.ParseDuration(detail.RetryDelay); err == nil && d > 0 {
				a.retryDelay = min(d, maxRetryAfter)
			}
		}
	}
	return a, true
}

// messageName reads {"name":"projects/…/messages/…"}. What cannot be read is
// "": the message is accepted all the same.
func messageName(body []byte) string {
	// FCM's answer has just this one member; the quick way takes a tenth of the
	// time that decoding takes.
	_, rest, ok := bytes.Cut(body, []byte(`"name"`))
	if ok {
		rest = bytes.TrimLeft(rest, " :\t\r\n")
		if len(rest) > 0 && rest[0] == '"' {
			if end := bytes.IndexByte(rest[1:], '"'); end >= 0 && bytes.IndexByte(rest[1:1+end], '\\') < 0 {
				return strings.ToValidUTF8(string(rest[1:1+end]), "\ufffd")
			}
		}
	}
	var sent struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return ""
	}
	return sent.Name
}

// maxDetail bounds the provider's words that are kept as evidence, in bytes.
const maxDetail = 300

// clip shortens s to maxDetail bytes of valid UTF-8.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxDetail {
		return s
	}
	const dots = "…"
	cut := maxDetail - len(dots)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + dots
}

// tokenLike is anything long enough to be a registration token or a part of one
// that is worth stealing; words and resource names are shorter.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_:\-]{60,}`)

// withoutSecrets removes the address of the request from FCM's words, and
// whatever else looks like a token, and clips them.
func withoutSecrets(words string, request []byte) string {
	var sent struct {
		Message struct {
			Token string `json:"token"`
			FID   string `json:"fid"`
		} `json:"message"`
	}
	if err := json.Unmarshal(request, &sent); err == nil {
		for _, secret := range []string{sent.Message.Token, sent.Message.FID} {
			if secret != "" {
				words = strings.ReplaceAll(words, secret, "…")
			}
		}
	}
	return clip(tokenLike.ReplaceAllString(words, "…"))
}
