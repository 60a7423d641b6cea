package door

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
)

// Exchange is one request and its answer. It belongs to the request's goroutine.
type Exchange struct {
	Request *http.Request
	Query   Query
	Body    []byte // of a route that reads it before its handler, see [OnceRead]

	// Trace is this request's own position in its trace.
	Trace  telemetry.TraceParent
	Tenant string // whose request it is; "" on a route that is open
	Who    access.Caller

	door  *Door
	w     *recorder
	route *Route

	loaded []byte // the body that was read already

	entry   *audit.Entry // what handlers say for the audit log; nil: nothing
	inAudit bool         // the call is in it

	span    *trace.Span
	id      string // of the request: given by the caller or made here
	began   time.Time
	err     error // what went wrong inside, for the log; nil when it was the caller's doing
	problem Code  // of the answer; "" if it is none
	cut     bool  // the answer was cut off after it had begun
}

// requestIDHeader is not standardised; proxies and gateways know it by this name.
const requestIDHeader = "X-Request-Id"

func (d *Door) begin(rt *Route, w http.ResponseWriter, r *http.Request) *Exchange {
	x := &Exchange{door: d, w: &recorder{ResponseWriter: w}, Request: r, route: rt, began: d.now(), id: r.Header.Get(requestIDHeader)}
	if !saneID(x.id) {
		x.id = rand.Text()
	}
	parent, _ := telemetry.ParseTraceParent(r.Header.Get(telemetry.TraceParentHeader)) // an unusable one begins a new trace
	if d.cfg.Tracer == nil || rt.Quiet {
		x.Trace = parent.Child()
	} else {
		x.span = d.cfg.Tracer.ContinueAt(trace.Server, rt.methodOf(r)+" "+rt.Path, parent)
		x.Trace = x.span.At()
	}
	h := w.Header()
	h.Set(requestIDHeader, x.id)
	h.Set(client.VersionHeader, telemetry.Version())
	h.Set("Cache-Control", "no-store") // answers carry tokens and change all the time
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin") // no page of another origin may load it
	return x
}

// saneID reports whether a caller's request id may be logged and repeated.
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

// Now is the door's clock.
func (x *Exchange) Now() time.Time { return x.door.now() }

// Header is the header of the answer, until that begins.
func (x *Exchange) Header() http.Header { return x.w.Header() }

// PathID returns the id in the path. An id of the wrong form is push.ErrNotFound.
func (x *Exchange) PathID(prefixes ...string) (push.ID, error) {
	id, err := push.ParseID(x.Request.PathValue("id"), prefixes...)
	if err != nil {
		return "", push.ErrNotFound
	}
	return id, nil
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the answer begins
	bytes  int64
	begin  func() // called when the answer begins; may be nil
}

// began notes the status of the answer, once its last fields are set.
func (w *recorder) began(status int) {
	if w.begin != nil {
		w.begin()
	}
	w.status = status
}

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.began(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.began(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
