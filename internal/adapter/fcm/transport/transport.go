package transport

import "sync"

// Header is the header list of a request except content-length, prepared once
// and used for many requests: transports recognise it by its address. It is
// immutable.
type Header struct {
	// Scheme, Authority and Path are where the request goes (RFC 9113 §8.3.1);
	// its method is POST.
	Scheme, Authority, Path string
	// Fields are the others; names are in lower case.
	Fields []Field

	once sync.Once
	kept []byte
}

// Kept returns what a transport made of the header the first time, for a header that is sent
// over many connections. It must not be changed.
func (h *Header) Kept(first func(*Header) []byte) []byte {
	h.once.Do(func() { h.kept = first(h) })
	return h.kept
}

// Field is one header field.
type Field struct{ Name, Value string }

// NewHeader returns the header list of a POST. The extra fields come in pairs of
// lower-case name and value and must be valid in HTTP.
func NewHeader(scheme, authority, path string, extra ...string) *Header {
	h := &Header{Scheme: scheme, Authority: authority, Path: path}
	for i := 0; i+1 < len(extra); i += 2 {
		h.Fields = append(h.Fields, Field{Name: extra[i], Value: extra[i+1]})
	}
	return h
}

// MaxBody is how many bytes of a response body are kept; the rest is cut.
const MaxBody = 64<<10 - 1

// Response is what came back. The caller may use one for many requests; Body's
// array is kept.
type Response struct {
	Status     int    // HTTP status, 200 and above
	RetryAfter string // the field of that name, "" without one
	Body       []byte // at most MaxBody bytes
	Truncated  bool   // the body is longer, or the stream broke within it
}

// Reset empties the response for another request.
func (r *Response) Reset() {
	r.Status, r.RetryAfter, r.Body, r.Truncated = 0, "", r.Body[:0], false
}
