package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// How streams of events are kept alive and ended.
const (
	// heartbeatEvery bounds how long a stream is silent. Load balancers cut connections
	// that are silent for a minute.
	heartbeatEvery = 15 * time.Second
	// retryHint is how long clients should wait before they connect again after a break.
	retryHint = time.Second
	// doneSuffix marks the id of a done event: nothing comes after it.
	doneSuffix = ".done"
)

// watch streams how a notification stands, until it is done.
func (c *closeups) watch(prefixes ...string) door.Step {
	return func(ctx context.Context, x *door.Exchange) error {
		id, err := x.PathID(prefixes...)
		if err != nil {
			return err
		}
		seen, finished := lastEvent(x.Request.Header)
		w, err := c.reports.Watch(ctx, x.Tenant, id, seen)
		if errors.Is(err, report.ErrStopped) {
			return door.Refuse(door.CodeUnavailable, "the server is shutting down: try again").With("Retry-After", "1")
		}
		if err != nil {
			return err
		}
		defer w.Close()
		first, err := w.Latest()
		if first != nil && finished && first.Done() && first.Revision == seen {
			return x.Answer(ctx, door.Reply{Status: http.StatusNoContent})
		}
		e := &watching{EventStream: x.EventStream(), x: x, frames: &c.frames}
		e.run(ctx, w, first, err)
		return nil
	}
}

// lastEvent reads the Last-Event-ID header: the revision seen last, 0 for none,
// and whether it was a done event's. An id that this server did not write counts as none.
func lastEvent(h http.Header) (seen int64, finished bool) {
	text, finished := strings.CutSuffix(h.Get("Last-Event-ID"), doneSuffix)
	seen, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seen < 0 {
		return 0, false
	}
	return seen, finished
}

// watching is one open stream. There are thousands, so it keeps little.
type watching struct {
	*door.EventStream

	x      *door.Exchange
	frames *frames
	state  push.State // told last
}

// run writes events, beginning with the first view that Latest returned. A failure ends the
// stream without a done event, so that clients connect again.
func (e *watching) run(ctx context.Context, w *report.Watch, v *report.View, err error) {
	defer e.End()
	if e.x.Request.Method == http.MethodHead {
		return
	}
	e.Say([]byte("retry: " + strconv.FormatInt(retryHint.Milliseconds(), 10) + "\n\n"))
	silence := time.NewTimer(heartbeatEvery)
	defer silence.Stop()
	for ; err == nil; v, err = w.Latest() {
		if v != nil {
			e.tell(v)
			silence.Reset(heartbeatEvery)
		}
		if !e.Flush() || v != nil && v.Done() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-w.Changed():
		case <-silence.C:
			e.Say([]byte(":\n\n"))
			silence.Reset(heartbeatEvery)
		}
	}
	e.Say([]byte(": come back\n\n"))
	e.Flush()
}

// tell writes the events of a view.
func (e *watching) tell(v *report.View) {
	f, err := e.frames.of(v, e.x.Now())
	if err != nil {
		e.Fail(err)
		return
	}
	if v.State != e.state {
		e.Say(f.state)
		e.state = v.State
	}
	e.Say(f.rest)
}
