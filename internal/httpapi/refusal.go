package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
)

// refusal is an error that knows its answer.
type refusal struct {
	code   code
	detail string
	faults []client.ProblemError
	// One header beside the body: Allow, Retry-After or WWW-Authenticate.
	header, value string
	memory        memory
	cause         error
}

// memory says whether a repeat with the same Idempotency-Key gets this refusal
// or executes again.
type memory uint8

const (
	byStatus  memory = iota // what failed inside executes again
	kept                    // half of it is done: executing again would do that twice
	forgotten               // nothing of it was done
)

// final tells whether a repeat gets the refusal.
func (r *refusal) final() bool {
	switch r.memory {
	case kept:
		return true
	case forgotten:
		return false
	case byStatus:
	}
	return r.status() < http.StatusInternalServerError && r.code != codeGone
}

// refuse returns a refusal; detail is for people, says what is allowed, and
// never repeats a caller's secret.
func refuse(c code, detail string, args ...any) *refusal {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &refusal{code: c, detail: detail}
}

// with adds a header.
func (r *refusal) with(header, value string) *refusal {
	r.header, r.value = header, value
	return r
}

// by adds the cause, for the log.
func (r *refusal) by(err error) *refusal {
	r.cause = err
	return r
}

// Error implements error.
func (r *refusal) Error() string {
	s := string(r.code) + ": " + r.detail
	if r.cause != nil {
		s += ": " + r.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.cause }

func (r *refusal) status() int {
	s, _ := r.code.facts()
	return s
}

// problem returns the body. The type is relative to the server (RFC 9457
// §3.1.1).
func (r *refusal) problem(requestID string) *client.Problem {
	status, title := r.code.facts()
	return &client.Problem{
		Type: "/problems/" + string(r.code), Title: title, Status: status,
		Detail: r.detail, Code: string(r.code), RequestID: requestID, Errors: r.faults,
	}
}

// refusalOf maps what the rooms and the transport return. What it does not know
// is a failure inside, of which the answer says nothing.
func refusalOf(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if faults, ok := errors.AsType[push.Faults](err); ok {
		return ofFaults(faults)
	}
	if e, ok := errors.AsType[*push.StateError](err); ok {
		return refuse(codeState, "%s", e.Error())
	}
	if e, ok := errors.AsType[*batch.GapError](err); ok {
		return refuse(codeGap, "the upload begins with line %d, but only %d lines are durable: continue with offset=%d", e.Offset, e.Watermark, e.Watermark+1)
	}
	if e, ok := errors.AsType[*batch.RefusedError](err); ok {
		return ofRefusedUpload(e)
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(codeTooLarge, "the body may have at most %d bytes", e.Limit)
	}
	if r := ofLetters(err); r != nil {
		return r
	}
	switch {
	case errors.Is(err, push.ErrNotFound):
		return refuse(codeNotFound, "it does not exist, or belongs to another tenant")
	case errors.Is(err, push.ErrCursor):
		return refuse(codeCursor, "give next_cursor of the page before, unchanged and with the same parameters, or leave it out")
	case errors.Is(err, ingest.ErrKeyReused):
		return refuse(codeKeyReused, "it was used before, with another request: use a new key for a new request")
	case errors.Is(err, push.ErrConflict):
		return refuse(codeConflict, "try again").with("Retry-After", "1").by(err)
	case errors.Is(err, batch.ErrBusy):
		return refuse(codeUnavailable, "%s: try again, or upload without all_or_nothing", batch.ErrBusy).with("Retry-After", "5")
	case errors.Is(err, context.Canceled):
		return refuse(codeGone, "the request was given up").by(err)
	}
	if o := push.OutageOf(err); o != "" {
		return ofOutage(o, err)
	}
	return refuse(codeInternal, "the server's log has the cause under this request_id").by(err)
}

// ofOutage says when to come back. The log has whose outage it is, and why.
func ofOutage(o push.Outage, err error) *refusal {
	c, why := codeUnavailable, "a store or queue behind this server does not answer"
	switch o {
	case push.OutageThrottled:
		c, why = codeThrottled, "a store or queue behind this server takes less than is asked of it"
	case push.OutageTimeout:
		why = "it took too long"
	case push.OutageBusy:
		why = "another process keeps the store locked"
	case push.OutageFull:
		why = "the store has no room left"
	case push.OutageReadOnly:
		why = "the store cannot be written"
	case push.OutageAccess:
		why = "this server has no access to a store or queue behind it"
	case push.OutageClosing:
		why = "the server is shutting down"
	case push.OutageDown:
	}
	seconds := strconv.Itoa(int(o.RetryAfter() / time.Second))
	r := refuse(c, "%s: try again", why).with("Retry-After", seconds).by(err)
	r.memory = forgotten
	return r
}

// ofFaults answers what is not JSON with 400 and what is wrong JSON with 422.
func ofFaults(faults push.Faults) *refusal {
	r := refuse(codeInvalid, "the request has faults; each is in errors")
	for _, f := range faults {
		if f.Code == push.FaultSyntax {
			r = refuse(codeMalformed, "the body is not the JSON that is expected here")
		}
	}
	r.faults = make([]client.ProblemError, len(faults))
	for i, f := range faults {
		r.faults[i] = client.ProblemError{Pointer: f.Pointer, Code: f.Code, Detail: f.Detail}
	}
	return r
}

func ofRefusedUpload(e *batch.RefusedError) *refusal {
	r := refuse(codeRefused, "%d lines are bad and nothing was kept, as all_or_nothing=true asks; the first bad lines are in errors", e.Result.Invalid)
	for _, f := range e.Result.Faults {
		r.faults = append(r.faults, client.ProblemError{Pointer: f.Pointer, Code: f.Code, Detail: fmt.Sprintf("line %d: %s", f.Line, f.Detail)})
	}
	return r
}

// ofRead maps an error of reading a body. Any other error than a time-out or
// the limit is the client's connection breaking.
func ofRead(err error) error {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(codeSlow, "no data came for too long").by(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(codeIncomplete, "it ended before its Content-Length").by(err)
	}
	return refuse(codeIncomplete, "it could not be read to its end").by(err)
}
