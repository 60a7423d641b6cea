package httpapi

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// typeEvents is the media type of server-sent events.
const typeEvents = "text/event-stream"

// How streams of events are kept alive and ended.
const (
	// heartbeatEvery is how long a stream is silent at most. Load balancers cut
	// connections that are silent for a minute.
	heartbeatEvery = 15 * time.Second
	// eventPatience is how long a client may take to read an event.
	eventPatience = 10 * time.Second
	// retryHint is when clients should come back after a stream that broke.
	retryHint = time.Second
	// doneSuffix marks the id of a done event: nothing comes after it.
	doneSuffix = ".done"
)

// watch streams how a notification stands, until it is done.
func (a *api) watch(prefixes ...string) step {
	return func(ctx context.Context, x *exchange) error {
		id, err := x.pathID(prefixes...)
		if err != nil {
			return err
		}
		seen, finished := lastEvent(x.r.Header)
		w, err := a.cfg.Reports.Watch(ctx, x.tenant, id, seen)
		if errors.Is(err, report.ErrStopped) {
			return refuse(codeUnavailable, "the server is shutting down: try again").with("Retry-After", "1")
		}
		if err != nil {
			return err
		}
		defer w.Close()
		first, err := w.Latest()
		if first != nil && finished && first.Done() && first.Revision == seen {
			return x.answer(reply{status: http.StatusNoContent})
		}
		e := &eventStream{x: x, out: http.NewResponseController(x.w), frames: &a.frames, now: a.now}
		e.run(ctx, w, first, err)
		return nil
	}
}

// lastEvent reads the Last-Event-ID header: the revision seen last, 0 for none,
// and whether it was that of a done event. What this server did not write is as
// good as none.
func lastEvent(h http.Header) (seen int64, finished bool) {
	text, finished := strings.CutSuffix(h.Get("Last-Event-ID"), doneSuffix)
	seen, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seen < 0 {
		return 0, false
	}
	return seen, finished
}

// eventStream is one stream under way. There are thousands: it keeps little.
type eventStream struct {
	x      *exchange
	out    *http.ResponseController
	frames *frames
	now    func() time.Time
	state  push.State // told last
	err    error      // of the first write that failed
}

// run writes events, beginning with what Latest returned first. A failure ends
// the stream without done, upon which clients come back.
func (e *eventStream) run(ctx context.Context, w *report.Watch, v *report.View, err error) {
	h := e.x.w.Header()
	h.Set("Content-Type", typeEvents)
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	e.x.w.WriteHeader(http.StatusOK)
	defer e.x.patience() // with the end of the answer
	if e.x.r.Method == http.MethodHead {
		return
	}
	e.say([]byte("retry: " + strconv.FormatInt(retryHint.Milliseconds(), 10) + "\n\n"))
	silence := time.NewTimer(heartbeatEvery)
	defer silence.Stop()
	for ; err == nil; v, err = w.Latest() {
		if v != nil {
			e.tell(v)
			silence.Reset(heartbeatEvery)
		}
		if !e.flush() || v != nil && v.Done() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-w.Changed():
		case <-silence.C:
			e.say([]byte(":\n\n"))
			silence.Reset(heartbeatEvery)
		}
	}
	e.say([]byte(": come back\n\n"))
	e.flush()
}

// tell writes the events of a view.
func (e *eventStream) tell(v *report.View) {
	f, err := e.frames.of(v, e.now())
	if err != nil {
		e.err, e.x.err = err, err
		return
	}
	if v.State != e.state {
		e.say(f.state)
		e.state = v.State
	}
	e.say(f.rest)
}

// say writes a text into the answer's buffer, and beyond it if there is no room.
func (e *eventStream) say(text []byte) {
	if e.err == nil {
		_ = e.out.SetWriteDeadline(time.Now().Add(eventPatience)) // without support, as in some tests, the server's own stands
		_, e.err = e.x.w.Write(text)
	}
}

// flush sends what was said, and tells whether the client took it in time.
func (e *eventStream) flush() bool {
	if e.err == nil {
		e.err = e.out.Flush()
	}
	e.x.cut = errors.Is(e.err, os.ErrDeadlineExceeded) // any other error is a client that hung up
	return e.err == nil
}
