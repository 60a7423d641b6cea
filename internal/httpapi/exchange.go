package httpapi

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// exchange is one request and its answer. It belongs to the request's goroutine.
type exchange struct {
	w     *recorder
	r     *http.Request
	route *route
	query query
	body  []byte // of a route that reads it before its handler

	id     string                // of the request: given by the caller or made here
	trace  telemetry.TraceParent // this request's own position in its trace
	tenant string                // "" before authentication
	began  time.Time
	err    error // what went wrong inside, for the log; nil when it was the caller's doing
	cut    bool  // the answer was cut off after it had begun
}

// requestIDHeader is not standardised; proxies and gateways know it by this name.
const requestIDHeader = "X-Request-Id"

func (a *api) begin(rt *route, w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{w: &recorder{ResponseWriter: w}, r: r, route: rt, began: a.now(), id: r.Header.Get(requestIDHeader)}
	if !saneID(x.id) {
		x.id = rand.Text()
	}
	parent, _ := telemetry.ParseTraceParent(r.Header.Get(telemetry.TraceParentHeader)) // an unusable one begins a new trace
	x.trace = parent.Child()
	h := w.Header()
	h.Set(requestIDHeader, x.id)
	h.Set("Cache-Control", "no-store") // answers carry tokens and change all the time
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin") // no page of another origin may load it
	return x
}

// saneID tells whether a caller's request id may be logged and repeated.
func saneID(s string) bool {
	const most = 128
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && strings.IndexByte("-_.:/+=@", c) < 0 {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// pathID returns the id in the path. One that has the wrong form names nothing.
func (x *exchange) pathID(prefixes ...string) (push.ID, error) {
	id, err := push.ParseID(x.r.PathValue("id"), prefixes...)
	if err != nil {
		return "", push.ErrNotFound
	}
	return id, nil
}

// idempotencyKey returns the Idempotency-Key header, "" if there is none
// (draft-ietf-httpapi-idempotency-key-header; taken as it is, quotes included).
func (x *exchange) idempotencyKey() (string, error) {
	const most = 255
	values := x.r.Header.Values("Idempotency-Key")
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", refuse(codeKeyInvalid, "give one Idempotency-Key (got %d)", len(values))
	}
	key := values[0]
	if key == "" || len(key) > most {
		return "", refuse(codeKeyInvalid, "must have 1..%d characters (got %d)", most, len(key))
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return "", refuse(codeKeyInvalid, "must be printable ASCII (byte %d is 0x%02x)", i, key[i])
		}
	}
	return key, nil
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the answer begins
	bytes  int64
}

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p) //nolint:gosec // JSON, named as such with nosniff: no browser reads it as a page
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
