package sendapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/belfry-push/belfry/internal/fcmsim/protojson"
)

// Answer is an HTTP answer of the send endpoint, built once and written as often as needed. It is immutable.
type Answer struct {
	code   code
	Status int
	Header http.Header
	Body   []byte
}

// status is google.rpc.Status as Google's HTTP APIs write it (https://google.aip.dev/193).
type status struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
	Details []any  `json:"details,omitempty"`
}

// fcmError is google.firebase.fcm.v1.FcmError (https://firebase.google.com/docs/reference/fcm/rest/v1/FcmError).
type fcmError struct {
	Type      string `json:"@type"`
	ErrorCode string `json:"errorCode"`
}

// badRequest is google.rpc.BadRequest.
type badRequest struct {
	Type       string      `json:"@type"`
	Violations []violation `json:"fieldViolations,omitempty"`
}

type violation = protojson.Violation

// errorInfo is google.rpc.ErrorInfo, which Google's authentication layer sends.
type errorInfo struct {
	Type     string            `json:"@type"`
	Reason   string            `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata"`
}

// apnsError is google.firebase.fcm.v1.ApnsError (https://firebase.google.com/docs/reference/fcm/rest/v1/ApnsError).
type apnsError struct {
	Type       string `json:"@type"`
	StatusCode int    `json:"statusCode"`
	Reason     string `json:"reason"`
}

// quotaFailure is google.rpc.QuotaFailure.
type quotaFailure struct {
	Type       string           `json:"@type"`
	Violations []quotaViolation `json:"violations"`
}

type quotaViolation struct {
	Subject     string `json:"subject"`
	Description string `json:"description"`
}

func newFcmError(c code) fcmError {
	return fcmError{Type: "type.googleapis.com/google.firebase.fcm.v1.FcmError", ErrorCode: c.String()}
}

func newBadRequest(v ...violation) badRequest {
	return badRequest{Type: "type.googleapis.com/google.rpc.BadRequest", Violations: v}
}

func newErrorInfo(reason string) errorInfo {
	return errorInfo{
		Type: "type.googleapis.com/google.rpc.ErrorInfo", Reason: reason, Domain: "googleapis.com",
		Metadata: map[string]string{
			"method":  "google.firebase.fcm.v1.FcmService.SendMessage",
			"service": "fcm.googleapis.com",
		},
	}
}

// newAnswer builds an error answer with google.rpc.Status as its body.
func newAnswer(c code, s status) *Answer {
	return &Answer{
		code: c, Status: s.Code, Body: encodeStatus(s),
		Header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}},
	}
}

// encodeStatus writes the error body as Google does, indented by two spaces.
func encodeStatus(s status) []byte {
	body, err := json.MarshalIndent(map[string]status{"error": s}, "", "  ")
	if err != nil { // strings, ints and maps of them always encode
		panic(fmt.Errorf("fcmsim: encode error body: %w", err))
	}
	return append(body, '\n')
}

// withRetryAfter adds a Retry-After header, unless value is empty.
func (a *Answer) withRetryAfter(value string) *Answer {
	if value == "" {
		return a
	}
	with := *a
	with.Header = a.Header.Clone()
	with.Header.Set("Retry-After", value)
	return &with
}

func (a *Answer) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a client that went away is not the simulator's problem
}
