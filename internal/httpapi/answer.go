package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The media types of the API.
const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
	typeNDJSON  = "application/x-ndjson"
	typeCSV     = "text/csv"
	typeEvent   = "application/cloudevents+json"
)

// writePatience is how long a client may take to read a piece of an answer.
const writePatience = 30 * time.Second

// reply is a whole answer that was not written yet.
type reply struct {
	status   int
	body     any    // encoded as JSON; nil for none
	raw      []byte // instead of body: encoded already
	location string // URL of what was created
	kind     string // media type; "" for JSON, or for a problem by the status
	replayed bool   // it is the answer to an earlier request with the same key
}

// answer writes a reply.
func (x *exchange) answer(rep reply) error {
	body := rep.raw
	if rep.body != nil {
		var err error
		if body, err = encode(rep.body); err != nil {
			return err
		}
	}
	h := x.w.Header()
	if rep.location != "" {
		h.Set("Location", rep.location)
	}
	if rep.replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	x.patience()
	if rep.status == http.StatusNoContent {
		x.w.WriteHeader(rep.status)
		return nil
	}
	h.Set("Content-Type", rep.mediaType())
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(rep.status)
	_, _ = x.w.Write(body) // fails when the client has gone: nobody is left to tell
	return nil
}

func (rep *reply) mediaType() string {
	switch {
	case rep.kind != "":
		return rep.kind
	case rep.status >= http.StatusBadRequest:
		return typeProblem
	}
	return typeJSON
}

// encode returns v as one line of JSON. HTML's characters stay as they are: no
// browser reads this as a page.
func encode(v any) ([]byte, error) {
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
func (x *exchange) patience() {
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(writePatience))
}

// refuse answers with the problem that err is. An answer that has begun is cut
// off instead: the client must not take half of it for the whole.
func (x *exchange) refuse(err error) {
	r := refusalOf(err)
	if r.status() >= http.StatusInternalServerError || r.code == codeThrottled {
		x.err = err
	}
	switch {
	case x.w.status != 0:
		x.cut = true
		panic(http.ErrAbortHandler)
	case r.code == codeGone && x.r.Context().Err() != nil:
		x.w.status = statusGone
		return
	case r.code == codeGone: // given up, but not by the client: the server is shutting down
		r = refuse(codeUnavailable, "the server is shutting down: try again").with("Retry-After", "1")
	}
	if r.header != "" {
		x.w.Header().Set(r.header, r.value)
	}
	_ = x.answer(reply{status: r.status(), body: r.problem(x.id)}) // a problem is always encodable
}
