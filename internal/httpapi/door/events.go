package door

import (
	"errors"
	"net/http"
	"os"
	"time"
)

// TypeEvents is the media type of server-sent events.
const TypeEvents = "text/event-stream"

// eventPatience is how long a client may take to read an event.
const eventPatience = 10 * time.Second

// EventStream is an answer of server-sent events. There are thousands at a time, so it keeps
// little. It belongs to the request's goroutine.
type EventStream struct {
	x   *Exchange
	out *http.ResponseController
	err error // of the first write that failed
}

// EventStream begins an answer of events, with the status 200. The caller ends it.
func (x *Exchange) EventStream() *EventStream {
	h := x.w.Header()
	h.Set("Content-Type", TypeEvents)
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	x.w.WriteHeader(http.StatusOK)
	return &EventStream{x: x, out: http.NewResponseController(x.w)}
}

// Say writes a text into the answer's buffer, and beyond it if there is no room.
func (e *EventStream) Say(text []byte) {
	if e.err == nil {
		_ = e.out.SetWriteDeadline(time.Now().Add(eventPatience)) // without support, as in some tests, the server's own stands
		_, e.err = e.x.w.Write(text)
	}
}

// Flush sends the buffer, and reports whether the client took it in time.
func (e *EventStream) Flush() bool {
	if e.err == nil {
		e.err = e.out.Flush()
	}
	e.x.cut = errors.Is(e.err, os.ErrDeadlineExceeded) // any other error is a client that hung up
	return e.err == nil
}

// Fail ends the sending; the log says why.
func (e *EventStream) Fail(err error) { e.err, e.x.err = err, err }

// End gives the client a while for the end of the answer.
func (e *EventStream) End() { e.x.patience() }
