package httpapi

import "net/http"

// code names a kind of problem. The set is closed; programs may rely on it.
type code string

const (
	codeMalformed       code = "malformed"
	codeIncomplete      code = "body_incomplete"
	codeCursor          code = "cursor_invalid"
	codeKeyInvalid      code = "idempotency_key_invalid"
	codeUnauthenticated code = "unauthenticated"
	codeNotFound        code = "not_found"
	codeNoRoute         code = "route_not_found"
	codeMethod          code = "method_not_allowed"
	codeSlow            code = "body_timeout"
	codeState           code = "illegal_state"
	codeConflict        code = "conflict"
	codeGap             code = "upload_gap"
	codeInProgress      code = "idempotency_in_progress"
	codeTooLarge        code = "body_too_large"
	codeMediaType       code = "unsupported_media_type"
	codeInvalid         code = "invalid"
	codeRefused         code = "upload_refused"
	codeKeyReused       code = "idempotency_key_reused"
	codeForbidden       code = "forbidden"
	codeNothing         code = "nothing_matches"
	codeUnbounded       code = "filter_required"
	codeStale           code = "out_of_date"
	codeArchive         code = "archive_invalid"
	codeGone            code = "client_closed_request"
	codeInternal        code = "internal"
	codeUnavailable     code = "unavailable"
	codeThrottled       code = "throttled"
	codeOrigin          code = "cross_origin"
	codeHost            code = "wrong_host"
)

// statusGone is what nginx logs for a client that hung up before its answer.
// It is logged and counted, and never sent.
const statusGone = 499

// facts returns the HTTP status of the kind, and its title, which never
// changes with the occurrence (RFC 9457 §3.1.3).
func (c code) facts() (status int, title string) {
	switch c {
	case codeMalformed:
		return http.StatusBadRequest, "The request body is not readable"
	case codeIncomplete:
		return http.StatusBadRequest, "The request body broke off"
	case codeCursor:
		return http.StatusBadRequest, "The cursor is not one of this listing"
	case codeKeyInvalid:
		return http.StatusBadRequest, "The Idempotency-Key is not valid"
	case codeUnauthenticated:
		return http.StatusUnauthorized, "The request names no tenant"
	case codeNotFound:
		return http.StatusNotFound, "No such resource"
	case codeNoRoute:
		return http.StatusNotFound, "No such path"
	case codeMethod:
		return http.StatusMethodNotAllowed, "The path does not have this method"
	case codeSlow:
		return http.StatusRequestTimeout, "The request body came too slowly"
	case codeState:
		return http.StatusConflict, "Not possible in the present state"
	case codeConflict:
		return http.StatusConflict, "Changed by someone else at the same moment"
	case codeGap:
		return http.StatusConflict, "The upload leaves out lines"
	case codeInProgress:
		return http.StatusConflict, "A request with this Idempotency-Key is being served"
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge, "The request body is too large"
	case codeMediaType:
		return http.StatusUnsupportedMediaType, "The media type is not supported"
	case codeInvalid:
		return http.StatusUnprocessableEntity, "The request is not valid"
	case codeRefused:
		return http.StatusUnprocessableEntity, "The upload was refused as a whole"
	case codeKeyReused:
		return http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"
	case codeForbidden:
		return http.StatusForbidden, "Not for this key"
	case codeNothing:
		return http.StatusUnprocessableEntity, "No dead letter matches"
	case codeUnbounded:
		return http.StatusUnprocessableEntity, "The filter takes every letter"
	case codeStale:
		return http.StatusConflict, "The letters are no longer what was looked at"
	case codeArchive:
		return http.StatusUnprocessableEntity, "Not a whole archive of dead letters"
	case codeGone:
		return statusGone, "The client hung up"
	case codeUnavailable:
		return http.StatusServiceUnavailable, "Not available right now"
	case codeOrigin:
		return http.StatusForbidden, "Not for web pages of another origin"
	case codeHost:
		return http.StatusMisdirectedRequest, "This server does not go by that name"
	case codeThrottled:
		return http.StatusTooManyRequests, "Asked faster than the store can take it"
	case codeInternal:
	}
	return http.StatusInternalServerError, "The request failed inside"
}

// codes lists the kinds that are ever sent, by status.
func codes() []code {
	return []code{
		codeMalformed, codeIncomplete, codeCursor, codeKeyInvalid, codeUnauthenticated, codeNotFound, codeNoRoute, codeMethod,
		codeSlow, codeState, codeConflict, codeGap, codeInProgress, codeTooLarge, codeMediaType, codeInvalid, codeRefused,
		codeKeyReused, codeForbidden, codeNothing, codeUnbounded, codeStale, codeArchive, codeOrigin, codeHost, codeThrottled, codeInternal, codeUnavailable,
	}
}
