package door

import (
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/strict"
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
func (x *Exchange) checkMediaType() error {
	types := x.route.Takes
	if len(types) == 0 {
		return x.checkNeedless()
	}
	enc, err := x.coding()
	if err == nil && enc != identity && !x.route.streams() {
		err = Refuse(CodeMediaType, "send the body without Content-Encoding").With("Accept-Encoding", "identity")
	}
	if err != nil {
		return err
	}
	given := x.Request.Header.Values("Content-Type")
	switch {
	case len(given) == 0 && x.Request.ContentLength == 0: // what the route makes of no body is its business
		return nil
	case len(given) > 1:
		return Refuse(CodeMediaType, "give one Content-Type: %s", strings.Join(types, " or "))
	case len(given) == 0 || !slices.Contains(types, given[0]) && !slices.Contains(types, kindOf(given[0])):
		return Refuse(CodeMediaType, "set Content-Type to %s", strings.Join(types, " or "))
	}
	return nil
}

// checkNeedless refuses the body of a request that takes none, unless its type is JSON: some
// clients always send one.
func (x *Exchange) checkNeedless() error {
	switch {
	case x.Request.ContentLength == 0, x.route.Method == "", x.route.Method == http.MethodGet:
		return nil
	case kindOf(x.Request.Header.Get("Content-Type")) == TypeJSON:
		return nil
	}
	return Refuse(CodeMediaType, "this path takes no body: leave it out, or set Content-Type to %s", TypeJSON)
}

// kindOf returns a media type without its parameters, "" if it is none.
func kindOf(contentType string) string {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return kind
}

// expectBody sets the deadline for a request's body, read or not. A request without a body
// gets none: the server watches the connection to notice when the client leaves, and a
// deadline would look like that.
func (x *Exchange) expectBody() {
	if x.Request.ContentLength != 0 {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(bodyPatience))
	}
}

// bodyEnded removes the deadline, for the same reason.
func (x *Exchange) bodyEnded() { _ = http.NewResponseController(x.w).SetReadDeadline(time.Time{}) }

// preload reads the body that ReadBody returns later, if the route takes one
// that is no stream.
func (x *Exchange) preload() (err error) {
	if len(x.route.Takes) > 0 && !x.route.streams() {
		x.loaded, err = x.ReadBody()
	}
	return err
}

// ReadBody reads a JSON body within its limits, without a byte order mark. The
// bytes are the caller's to keep.
func (x *Exchange) ReadBody() ([]byte, error) {
	if x.loaded != nil {
		return x.loaded, nil
	}
	body, err := readAll(http.MaxBytesReader(x.w.ResponseWriter, x.Request.Body, maxBody), x.Request.ContentLength)
	if err != nil {
		return nil, ofRead(err)
	}
	x.bodyEnded()
	return strict.TrimBOM(body), nil
}

// readAll does what io.ReadAll does, with a buffer of the announced length, up to the limit.
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

// WantsNDJSON reports whether the Accept header names NDJSON.
func WantsNDJSON(h http.Header) bool { return Accepts(h, NDJSONTypes()...) }

// Accepts reports whether the Accept header names one of the types.
func Accepts(h http.Header, types ...string) bool {
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

// Negotiate returns the offer that the Accept header likes most, the first among
// equals; the first as well if it likes none, which is better than no answer.
func Negotiate(h http.Header, offers ...string) string {
	best, most := offers[0], 0.0
	for _, offer := range offers {
		if q := weight(h, offer); q > most {
			best, most = offer, q
		}
	}
	return best
}

// weight is the q of the most specific range that a media type is in (RFC 9110
// §12.5.1); 1 without an Accept header.
func weight(h http.Header, kind string) float64 {
	if len(h.Values("Accept")) == 0 {
		return 1
	}
	main, _, _ := strings.Cut(kind, "/")
	found, q := 0, 0.0
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept"), ","), ",") {
		given, params, err := mime.ParseMediaType(part)
		specific := 1 + slices.Index([]string{"*/*", main + "/*", kind}, given)
		if err != nil || specific <= found {
			continue
		}
		found, q = specific, 1
		if text, ok := params["q"]; ok {
			q, _ = strconv.ParseFloat(text, 64) // unreadable: 0
		}
	}
	return q
}

// acceptable reports whether a weight is not 0 (RFC 9110 §12.4.2).
func acceptable(q string) bool { return q == "" || strings.Trim(q, "0.") != "" }

// NDJSONTypes are the names in use for newline-delimited JSON; none is
// registered.
func NDJSONTypes() []string {
	return []string{TypeNDJSON, "application/ndjson", "application/jsonl"}
}
