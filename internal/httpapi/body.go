package httpapi

import (
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits of a request's body.
const (
	// maxBody bounds a JSON body. A thousand registration tokens of 200 bytes and
	// a full message are 0.2 MiB.
	maxBody = 1 << 20
	// bodyPatience is how long a JSON body may take as a whole, and how long
	// net/http may wait for the rest of a body that no handler wants.
	bodyPatience = 15 * time.Second
)

// checkMediaType refuses a body of a type that the route does not take, and one
// without a type: a web page of another origin can send that, or a form, without
// asking for leave (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
func (x *exchange) checkMediaType() error {
	types := x.route.takes
	if len(types) == 0 {
		return x.checkNeedless()
	}
	enc, err := x.coding()
	if err == nil && enc != identity && !x.route.streams() {
		err = refuse(codeMediaType, "send the body without Content-Encoding").with("Accept-Encoding", "identity")
	}
	if err != nil {
		return err
	}
	given := x.r.Header.Values("Content-Type")
	switch {
	case len(given) == 0 && x.r.ContentLength == 0: // what the route makes of no body is its business
		return nil
	case len(given) > 1:
		return refuse(codeMediaType, "give one Content-Type: %s", strings.Join(types, " or "))
	case len(given) == 0 || !slices.Contains(types, given[0]) && !slices.Contains(types, kindOf(given[0])):
		return refuse(codeMediaType, "set Content-Type to %s", strings.Join(types, " or "))
	}
	return nil
}

// checkNeedless refuses a body where none is taken, unless it says that it is
// JSON: some clients always send one.
func (x *exchange) checkNeedless() error {
	switch {
	case x.r.ContentLength == 0, x.route.method == "", x.route.method == http.MethodGet:
		return nil
	case kindOf(x.r.Header.Get("Content-Type")) == typeJSON:
		return nil
	}
	return refuse(codeMediaType, "this path takes no body: leave it out, or set Content-Type to %s", typeJSON)
}

// kindOf returns a media type without its parameters, "" if it is none.
func kindOf(contentType string) string {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return kind
}

// expectBody begins the patience with a request's body, read or not. A request
// without one gets no deadline: the server watches its connection for the
// client's leaving, and a deadline would look like that.
func (x *exchange) expectBody() {
	if x.r.ContentLength != 0 {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(bodyPatience))
	}
}

// bodyEnded ends the patience, for the same reason.
func (x *exchange) bodyEnded() { _ = http.NewResponseController(x.w).SetReadDeadline(time.Time{}) }

// readBody reads a JSON body within its limits. The bytes are the caller's to
// keep.
func (x *exchange) readBody() ([]byte, error) {
	body, err := readAll(http.MaxBytesReader(x.w.ResponseWriter, x.r.Body, maxBody), x.r.ContentLength)
	if err != nil {
		return nil, ofRead(err)
	}
	x.bodyEnded()
	return body, nil
}

// readAll is io.ReadAll that knows how much to expect, and believes it up to
// the limit.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > maxBody {
		return io.ReadAll(r)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

// wantsNDJSON tells whether the Accept header names NDJSON.
func wantsNDJSON(h http.Header) bool { return accepts(h, ndjsonTypes()...) }

// accepts tells whether the Accept header names one of the types.
func accepts(h http.Header, types ...string) bool {
	for _, v := range h.Values("Accept") {
		for part := range strings.SplitSeq(v, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err == nil && slices.Contains(types, kind) && acceptable(params["q"]) {
				return true
			}
		}
	}
	return false
}

// acceptable tells whether a weight is not 0 (RFC 9110 §12.4.2).
func acceptable(q string) bool { return q == "" || strings.Trim(q, "0.") != "" }

// ndjsonTypes are the names in use for newline-delimited JSON; none is
// registered.
func ndjsonTypes() []string {
	return []string{typeNDJSON, "application/ndjson", "application/jsonl"}
}
