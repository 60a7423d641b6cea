package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
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
		first, newer, err := w.Latest()
		if err == nil && finished && first.Done() && first.Revision == seen {
			return x.answer(reply{status: http.StatusNoContent})
		}
		e := &eventStream{x: x, out: http.NewResponseController(x.w), now: a.now}
		return e.run(ctx, w, first, newer, err)
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

// eventStream is one stream under way.
type eventStream struct {
	x     *exchange
	out   *http.ResponseController
	now   func() time.Time
	state push.State // told last
}

// run writes events, beginning with what Latest returned first. A failure ends
// the stream without done, upon which clients come back.
func (e *eventStream) run(ctx context.Context, w *report.Watch, v report.View, newer bool, err error) error {
	h := e.x.w.Header()
	h.Set("Content-Type", typeEvents)
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	e.x.w.WriteHeader(http.StatusOK)
	defer e.x.patience() // with the end of the answer
	if e.x.r.Method == http.MethodHead {
		return nil
	}
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "retry: %d\n\n", retryHint.Milliseconds())
	silence := time.NewTimer(heartbeatEvery)
	defer silence.Stop()
	for ; err == nil; v, newer, err = w.Latest() {
		if newer {
			if err := e.add(&buf, &v); err != nil {
				return err
			}
		}
		if buf.Len() > 0 {
			if !e.flush(&buf) || newer && v.Done() {
				return nil
			}
			silence.Reset(heartbeatEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.Changed():
		case <-silence.C:
			buf.WriteString(":\n\n")
		}
	}
	buf.WriteString(": come back\n\n")
	e.flush(&buf)
	return nil
}

// add appends the events of a view.
func (e *eventStream) add(buf *bytes.Buffer, v *report.View) error {
	body, err := encode(fullView(v, e.now()))
	if err != nil {
		return err
	}
	id := strconv.FormatInt(v.Revision, 10)
	if v.State != e.state {
		state, err := encode(client.StateChange{ID: string(v.Notification.ID), State: string(v.State)})
		if err != nil {
			return err
		}
		fmt.Fprintf(buf, "id: %s\nevent: %s\ndata: %s\n", id, client.EventState, state)
		e.state = v.State
	}
	fmt.Fprintf(buf, "id: %s\nevent: %s\ndata: %s\n", id, client.EventProgress, body)
	if v.Done() {
		fmt.Fprintf(buf, "id: %s\nevent: %s\ndata: %s\n", id+doneSuffix, client.EventDone, body)
	}
	return nil
}

// flush writes what is in buf, and tells whether the client took it in time.
func (e *eventStream) flush(buf *bytes.Buffer) bool {
	_ = e.out.SetWriteDeadline(time.Now().Add(eventPatience)) // without support, as in some tests, the server's own stands
	_, err := e.x.w.Write(buf.Bytes())
	if err == nil {
		err = e.out.Flush()
	}
	e.x.cut = errors.Is(err, os.ErrDeadlineExceeded) // any other error is a client that hung up
	buf.Reset()
	return err == nil
}
