package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// The names of the events of a watch, for those who read the stream themselves.
const (
	EventProgress = "progress" // data: a [Notification]
	EventState    = "state"    // data: a [StateChange]
	EventDone     = "done"     // data: the last [Notification]; the stream ends
)

// StateChange says that a notification or batch has another state now.
type StateChange struct {
	ID    string `json:"id"`
	State State  `json:"state"`
}

// BatchProgress is how a batch, or a notification, stood less than a second ago.
type BatchProgress struct {
	Notification

	EventID string `json:"-"` // grows; what a watch goes on from after a broken connection
	Last    bool   `json:"-"` // nothing more will happen unless somebody acts
}

const typeEvents = "text/event-stream"

// How a watch survives broken connections.
const (
	// watchSilence is how long a stream may be silent before it is given up for
	// dead: three of the server's heartbeats.
	watchSilence = 45 * time.Second
	// watchWait bounds the wait before a watch connects again.
	watchWait = 5 * time.Second
)

// Watch follows a batch, or a notification, over server-sent events: it yields
// how it stands at once and whenever something changes, until nothing more will
// happen: then it says the same again, with Last set. A slow loop skips states and sees the
// newest.
//
// A connection that breaks, or is silent for 45 s, is made again, as often as it
// takes, and goes on where it was: what is yielded never goes back in time. An
// error is the last pair: that of ctx, one that connecting again will not mend,
// or if there is no first answer, the last of as many as [Retry] says.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[BatchProgress, error] {
	return func(yield func(BatchProgress, error) bool) {
		w := watcher{c: c, id: id, yield: yield}
		if err := w.run(ctx); err != nil && !errors.Is(err, errStopRanging) {
			yield(BatchProgress{}, err)
		}
	}
}

// errStopRanging says that the caller has left its loop.
var errStopRanging = errors.New("stop")

// watcher is one watch under way.
type watcher struct {
	c     *Client
	id    string
	yield func(BatchProgress, error) bool

	last  string        // Last-Event-ID
	begun bool          // there was an answer
	retry time.Duration // as the server asks
}

// run connects until the watch is over.
func (w *watcher) run(ctx context.Context) error {
	for failures := 0; ; {
		progressed, after, err := w.connect(ctx)
		switch {
		case err == nil, errors.Is(err, errStopRanging):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("watch %s: %w", w.id, context.Cause(ctx))
		case !transient(err):
			return fmt.Errorf("watch %s: %w", w.id, err)
		case progressed:
			failures = 0
		}
		failures++
		wait, again := w.c.retry.wait(failures, after, w.c.chance())
		if w.begun {
			wait = w.wait(failures, after)
		} else if !again {
			return fmt.Errorf("watch %s: %w", w.id, err)
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("watch %s: %w", w.id, context.Cause(ctx))
		}
	}
}

// wait is a random share of what the server asks for, doubled with every failure
// in a row, on top of a Retry-After, which is negative for none.
func (w *watcher) wait(failures int, after time.Duration) time.Duration {
	bound := w.c.retry.Base
	if w.retry > 0 {
		bound = w.retry
	}
	for range failures - 1 {
		bound = min(2*bound, watchWait)
	}
	return max(after, 0) + time.Duration(w.c.chance()*float64(bound))
}

// errSilent ends a connection from which nothing comes.
var errSilent = &transportError{fmt.Errorf("nothing came for %s", watchSilence)}

// connect reads one stream. It returns nil after the done event, whether there
// was any event, and the Retry-After of an answer that was none.
func (w *watcher) connect(ctx context.Context) (progressed bool, after time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(watchSilence, func() { cancel(errSilent) })
	defer silent.Stop()
	cl := get("/v1/notifications/"+url.PathEscape(w.id)+"/events", nil)
	cl.accept, cl.timeout, cl.lastEvent = typeEvents, 0, w.last
	after, err = w.c.attempt(ctx, cl, func(resp *http.Response) error {
		defer func() { _ = resp.Body.Close() }()
		w.begun = true
		if resp.StatusCode == http.StatusNoContent {
			return nil // nothing has happened after the done event
		}
		var err error
		progressed, err = w.read(newSSEReader(&alarmed{resp.Body, silent}))
		return err
	})
	return progressed, after, err
}

// alarmed puts an alarm off whenever something was read.
type alarmed struct {
	r     io.Reader
	alarm *time.Timer
}

// Read implements io.Reader.
func (a *alarmed) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if n > 0 {
		a.alarm.Reset(watchSilence)
	}
	return n, err
}

func (w *watcher) read(events *sseReader) (progressed bool, err error) {
	for {
		e, err := events.next()
		w.retry = events.retry
		if err != nil {
			return progressed, &transportError{fmt.Errorf("the stream of events broke: %w", err)}
		}
		if e.name != EventProgress && e.name != EventDone {
			continue // the state is in the progress too
		}
		p := BatchProgress{EventID: e.id, Last: e.name == EventDone}
		if err := json.Unmarshal([]byte(e.data), &p.Notification); err != nil {
			return progressed, fmt.Errorf("decode an event: %w", err)
		}
		w.last, progressed = e.id, true
		if !w.yield(p, nil) {
			return progressed, errStopRanging
		}
		if p.Last {
			return progressed, nil
		}
	}
}
