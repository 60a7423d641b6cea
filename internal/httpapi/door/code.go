package door

import (
	"net/http"
	"slices"
)

// Code names a kind of problem. The set is closed; programs may rely on it.
type Code string

// The kinds of problem; what each of them says is in facts.
const (
	CodeMalformed       Code = "malformed"
	CodeIncomplete      Code = "body_incomplete"
	CodeCursor          Code = "cursor_invalid"
	CodeKeyInvalid      Code = "idempotency_key_invalid"
	CodeUnauthenticated Code = "unauthenticated"
	CodeNotFound        Code = "not_found"
	CodeNoRoute         Code = "route_not_found"
	CodeMethod          Code = "method_not_allowed"
	CodeSlow            Code = "body_timeout"
	CodeState           Code = "illegal_state"
	CodeConflict        Code = "conflict"
	CodeTaken           Code = "name_taken"
	CodeGap             Code = "upload_gap"
	CodeInProgress      Code = "idempotency_in_progress"
	CodeTooLarge        Code = "body_too_large"
	CodeMediaType       Code = "unsupported_media_type"
	CodeInvalid         Code = "invalid"
	CodeRefused         Code = "upload_refused"
	CodeKeyReused       Code = "idempotency_key_reused"
	CodeForbidden       Code = "forbidden"
	CodeApproval        Code = "approval_required"
	CodeNothing         Code = "nothing_matches"
	CodeUnbounded       Code = "filter_required"
	CodeStale           Code = "out_of_date"
	CodeArchive         Code = "archive_invalid"
	CodeGone            Code = "client_closed_request"
	CodeInternal        Code = "internal"
	CodeUnavailable     Code = "unavailable"
	CodeThrottled       Code = "throttled"
	CodeQuota           Code = "quota_exceeded"
	CodeOrigin          Code = "cross_origin"
	CodeHost            Code = "wrong_host"
)

// StatusGone is what nginx logs for a client that hung up before its answer.
// It is logged and counted, and never sent.
const StatusGone = 499

// facts returns the HTTP status of the kind, and its title, which never
// changes with the occurrence (RFC 9457 §3.1.3).
func (c Code) facts() (status int, title string) {
	switch c {
	case CodeMalformed:
		return http.StatusBadRequest, "The request body is not readable"
	case CodeIncomplete:
		return http.StatusBadRequest, "The request body broke off"
	case CodeCursor:
		return http.StatusBadRequest, "The cursor is not one of this listing"
	case CodeKeyInvalid:
		return http.StatusBadRequest, "The Idempotency-Key is not valid"
	case CodeUnauthenticated:
		return http.StatusUnauthorized, "The request names no tenant"
	case CodeNotFound:
		return http.StatusNotFound, "No such resource"
	case CodeNoRoute:
		return http.StatusNotFound, "No such path"
	case CodeMethod:
		return http.StatusMethodNotAllowed, "The path does not have this method"
	case CodeSlow:
		return http.StatusRequestTimeout, "The request body came too slowly"
	case CodeState:
		return http.StatusConflict, "Not possible in the present state"
	case CodeConflict:
		return http.StatusConflict, "Changed by someone else at the same moment"
	case CodeTaken:
		return http.StatusConflict, "The name is taken"
	case CodeGap:
		return http.StatusConflict, "The upload leaves out lines"
	case CodeInProgress:
		return http.StatusConflict, "A request with this Idempotency-Key is being served"
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge, "The request body is too large"
	case CodeMediaType:
		return http.StatusUnsupportedMediaType, "The media type is not supported"
	case CodeInvalid:
		return http.StatusUnprocessableEntity, "The request is not valid"
	case CodeRefused:
		return http.StatusUnprocessableEntity, "The upload was refused as a whole"
	case CodeKeyReused:
		return http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"
	case CodeForbidden:
		return http.StatusForbidden, "Not for this key"
	case CodeApproval:
		return http.StatusForbidden, "A second person has to approve this"
	case CodeNothing:
		return http.StatusUnprocessableEntity, "No dead letter matches"
	case CodeUnbounded:
		return http.StatusUnprocessableEntity, "The filter takes every letter"
	case CodeStale:
		return http.StatusConflict, "The letters are no longer what was looked at"
	case CodeArchive:
		return http.StatusUnprocessableEntity, "Not a whole archive of dead letters"
	case CodeGone:
		return StatusGone, "The client hung up"
	case CodeUnavailable:
		return http.StatusServiceUnavailable, "Not available right now"
	case CodeOrigin:
		return http.StatusForbidden, "Not for web pages of another origin"
	case CodeHost:
		return http.StatusMisdirectedRequest, "This server does not go by that name"
	case CodeThrottled:
		return http.StatusTooManyRequests, "Asked faster than the store can take it"
	case CodeQuota:
		return http.StatusTooManyRequests, "A quota is used up"
	case CodeInternal:
	}
	return http.StatusInternalServerError, "The request failed inside"
}

// CodeNamed reports whether a problem that is ever sent has that code.
func CodeNamed(name string) bool { return slices.Contains(codes(), Code(name)) }

// codes lists the kinds that are ever sent, by status.
func codes() []Code {
	return []Code{
		CodeMalformed, CodeIncomplete, CodeCursor, CodeKeyInvalid, CodeUnauthenticated, CodeNotFound, CodeNoRoute, CodeMethod,
		CodeSlow, CodeState, CodeConflict, CodeTaken, CodeGap, CodeInProgress, CodeTooLarge, CodeMediaType, CodeInvalid, CodeRefused,
		CodeKeyReused, CodeForbidden, CodeApproval, CodeNothing, CodeUnbounded, CodeStale, CodeArchive, CodeOrigin, CodeHost, CodeThrottled,
		CodeQuota,
		CodeInternal,
		CodeUnavailable,
	}
}
