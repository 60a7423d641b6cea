package door

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The media types of the API.
const (
	TypeJSON    = "application/json"
	TypeProblem = "application/problem+json"
	TypeNDJSON  = "application/x-ndjson"
	// TypeMergePatch is that of a JSON merge patch (RFC 7396).
	TypeMergePatch = "application/merge-patch+json"
	TypeCSV        = "text/csv"
)

// writePatience is how long a client may take to read a piece of an answer.
const writePatience = 30 * time.Second

// Reply is a whole answer before it is written.
type Reply struct {
	Status   int
	Body     any    // encoded as JSON; nil for none
	Raw      []byte // instead of body: encoded already
	Location string // URL of what was created
	Kind     string // media type; "" for JSON, or for a problem by the status
	Replayed bool   // it is the answer to an earlier request with the same key
	// Stored is kept for repeats in the place of Body, which has a secret; nil: Body is.
	Stored any
}

// Answer writes a reply, once the call is in the audit log if it belongs there.
func (x *Exchange) Answer(ctx context.Context, rep Reply) error {
	if rep.Location != "" {
		x.w.Header().Set("Location", rep.Location)
	}
	if err := x.audit(ctx, rep.Status); err != nil {
		x.w.Header().Del("Location")
		return err
	}
	return x.write(rep)
}

func (x *Exchange) write(rep Reply) error {
	body := rep.Raw
	if rep.Body != nil {
		var err error
		if body, err = Encode(rep.Body); err != nil {
			return err
		}
	}
	h := x.w.Header()
	if rep.Replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	x.patience()
	if rep.Status == http.StatusNoContent {
		x.w.WriteHeader(rep.Status)
		return nil
	}
	h.Set("Content-Type", rep.mediaType())
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(rep.Status)
	_, _ = x.w.Write(body) // fails when the client has gone: nobody is left to tell
	return nil
}

func (rep *Reply) mediaType() string {
	switch {
	case rep.Kind != "":
		return rep.Kind
	case rep.Status >= http.StatusBadRequest:
		return TypeProblem
	}
	return TypeJSON
}

// Encode returns v as one line of JSON. HTML's characters stay as they are: no
// browser reads this as a page.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return b.Bytes(), nil
}

// patience gives the client a while to read what comes next. Without support
// for deadlines, as in some tests, the server's own time-out stands.
func (x *Exchange) patience() {
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(writePatience))
}

// refuse answers with the problem of err. If the answer has begun, it cuts the answer off
// instead: the client must not take half of it for the whole.
func (x *Exchange) refuse(err error) {
	r := x.RefusalOf(err)
	x.problem = r.Code
	if r.Status() >= http.StatusInternalServerError || r.Code == CodeThrottled {
		x.err = err
	}
	switch {
	case x.w.status != 0:
		x.cut = true
		panic(http.ErrAbortHandler)
	case r.Code == CodeGone && x.Request.Context().Err() != nil:
		x.w.status = StatusGone
		return
	case r.Code == CodeGone: // given up, but not by the client: the server is shutting down
		r = Refuse(CodeUnavailable, "the server is shutting down: try again").With("Retry-After", "1")
	}
	if r.header != "" {
		x.w.Header().Set(r.header, r.value)
	}
	x.auditRefused(r.Status(), r.Code)
	_ = x.write(Reply{Status: r.Status(), Body: r.problem(x.id)}) // a problem is always encodable
}
