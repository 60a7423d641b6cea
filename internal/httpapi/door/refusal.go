package door

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
	"github.com/belfry-push/belfry/internal/push"
)

// RefusalError is an error with the answer to it.
type RefusalError struct {
	Code   Code
	Detail string
	Faults []client.ProblemError
	// Quota is the quota that is used up; nil: none is.
	Quota *push.OverQuotaError
	// Memory says whether a repeat gets it.
	Memory Memory

	header, value string // one header beside the body: Allow, Retry-After or WWW-Authenticate
	cause         error
}

// Memory says whether a repeat with the same Idempotency-Key gets this refusal
// or executes again.
type Memory uint8

// What is remembered of a refusal.
const (
	byStatus  Memory = iota // what failed inside executes again
	Kept                    // half of it is done: executing again would do that twice
	Forgotten               // nothing of it was done
)

// final reports whether a repeat gets the refusal.
func (r *RefusalError) final() bool {
	switch r.Memory {
	case Kept:
		return true
	case Forgotten:
		return false
	case byStatus:
	}
	return r.Status() < http.StatusInternalServerError && r.Code != CodeGone
}

// Refuse returns a refusal. detail is for people: it says what is allowed, and never repeats
// a caller's secret.
func Refuse(c Code, detail string, args ...any) *RefusalError {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &RefusalError{Code: c, Detail: detail}
}

// With adds a header.
func (r *RefusalError) With(header, value string) *RefusalError {
	r.header, r.value = header, value
	return r
}

// By adds the cause, for the log.
func (r *RefusalError) By(err error) *RefusalError {
	r.cause = err
	return r
}

// Error implements error.
func (r *RefusalError) Error() string {
	s := string(r.Code) + ": " + r.Detail
	if r.cause != nil {
		s += ": " + r.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *RefusalError) Unwrap() error { return r.cause }

// Status is the HTTP status of the answer.
func (r *RefusalError) Status() int {
	s, _ := r.Code.facts()
	return s
}

// problem returns the body. The type is relative to the server (RFC 9457
// §3.1.1).
func (r *RefusalError) problem(requestID string) *client.Problem {
	status, title := r.Code.facts()
	p := &client.Problem{
		Type: TypeOf(r.Code), Title: title, Status: status,
		Detail: r.Detail, Code: string(r.Code), RequestID: requestID, Errors: r.Faults,
	}
	if q := r.Quota; q != nil {
		p.Quota, p.Limit, p.ViolatedPolicies = client.QuotaName(q.Quota), q.Limit, []string{q.Policy}
	}
	return p
}

// RefusalOf returns the refusal for an error of a room or the transport.
func (x *Exchange) RefusalOf(err error) *RefusalError { return x.door.refusalOf(err) }

// refusalOf maps errors of the rooms and the transport to refusals. An unknown error is an
// internal failure; the answer gives no details of it.
func (d *Door) refusalOf(err error) *RefusalError {
	if r, ok := errors.AsType[*RefusalError](err); ok {
		return r
	}
	if faults, ok := errors.AsType[push.Faults](err); ok {
		return ofFaults(faults)
	}
	if e, ok := errors.AsType[*push.StateError](err); ok {
		return Refuse(CodeState, "%s", e.Error())
	}
	if e, ok := errors.AsType[*push.OverQuotaError](err); ok {
		return ofQuota(e)
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Refuse(CodeTooLarge, "the body may have at most %d bytes", e.Limit)
	}
	if r := d.ofRoom(err); r != nil {
		return r
	}
	switch {
	case errors.Is(err, push.ErrNotFound):
		return Refuse(CodeNotFound, "it does not exist, is past its retention, or belongs to another tenant")
	case errors.Is(err, push.ErrCursor):
		return Refuse(CodeCursor, "give next_cursor of the page before, unchanged and with the same parameters, or leave it out")
	case errors.Is(err, push.ErrConflict):
		return Refuse(CodeConflict, "try again").With("Retry-After", "1").By(err)
	case errors.Is(err, context.Canceled):
		return Refuse(CodeGone, "the request was given up").By(err)
	}
	if o := push.OutageOf(err); o != "" {
		return ofOutage(o, err)
	}
	return Refuse(CodeInternal, "the server's log has the cause under this request_id").By(err)
}

// ofQuota returns the refusal for what is over a quota. A repeat of it is looked at anew.
func ofQuota(e *push.OverQuotaError) *RefusalError {
	r := Refuse(CodeQuota, "%s", e.Error())
	r.Quota, r.Memory = e, Forgotten
	if after := e.RetryAfter(); after > 0 {
		r = r.With("Retry-After", strconv.FormatInt(int64(after/time.Second), 10))
	}
	return r
}

// ofRoom returns the refusal for an error of a room; nil for any other error.
func (d *Door) ofRoom(err error) *RefusalError {
	if d.cfg.Rooms == nil {
		return nil
	}
	return d.cfg.Rooms(err)
}

// ofOutage returns the refusal for an outage, with the time to come back. The log has the
// cause.
func ofOutage(o push.Outage, err error) *RefusalError {
	c, why := CodeUnavailable, "a store or queue behind this server does not answer"
	switch o {
	case push.OutageThrottled:
		c, why = CodeThrottled, "a store or queue behind this server takes less than is asked of it"
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
	r := Refuse(c, "%s: try again", why).With("Retry-After", seconds).By(err)
	r.Memory = Forgotten
	return r
}

// ofFaults returns the refusal for faults: 400 if the body is no JSON, otherwise 422.
func ofFaults(faults push.Faults) *RefusalError {
	r := Refuse(CodeInvalid, "the request has faults; each is in errors")
	for _, f := range faults {
		if f.Code == push.FaultSyntax {
			r = Refuse(CodeMalformed, "the body cannot be read; each fault is in errors")
		}
	}
	r.Faults = make([]client.ProblemError, len(faults))
	for i, f := range faults {
		r.Faults[i] = client.ProblemError{Pointer: f.Pointer, Code: f.Code, Detail: f.Detail}
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
		return Refuse(CodeSlow, "no data came for too long").By(err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Refuse(CodeIncomplete, "it ended before its Content-Length").By(err)
	}
	return Refuse(CodeIncomplete, "it could not be read to its end").By(err)
}
