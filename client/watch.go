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
		w := follower{c: c, what: "watch " + id, path: "/v1/notifications/" + url.PathEscape(id) + "/events"}
		w.take = func(e sseEvent) (news bool, err error) {
			if e.name != EventProgress && e.name != EventDone {
				return false, nil // the state is in the progress too
			}
			p := BatchProgress{EventID: e.id, Last: e.name == EventDone}
			if err := json.Unmarshal([]byte(e.data), &p.Notification); err != nil {
				return false, fmt.Errorf("decode an event: %w", err)
			}
			w.last = e.id
			switch {
			case !yield(p, nil):
				return true, errStopRanging
			case p.Last:
				return true, errDone
			}
			return true, nil
		}
		if err := w.run(ctx); err != nil && !errors.Is(err, errStopRanging) {
			yield(BatchProgress{}, err)
		}
	}
}

var (
	// errStopRanging says that the caller has left its loop.
	errStopRanging = errors.New("stop")
	// errDone says that there is nothing to come.
	errDone = errors.New("done")
)

// follower reads a stream of events, however often its connection breaks.
type follower struct {
	c     *Client
	what  string // it does, for errors
	path  string
	query url.Values
	// take takes an event and says whether that was news. errDone and errStopRanging end it.
	take func(e sseEvent) (news bool, err error)
	// moved is told an id that comes without an event, if it is not nil.
	moved func(id string)
	// broke is told that a connection that was good broke, if it is not nil.
	broke func(err error)

	last  string        // Last-Event-ID
	begun bool          // there was an answer
	retry time.Duration // as the server asks
}

// run connects until it is over.
func (w *follower) run(ctx context.Context) error {
	for failures := 0; ; {
		progressed, after, err := w.connect(ctx)
		switch {
		case err == nil, errors.Is(err, errStopRanging):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", w.what, context.Cause(ctx))
		case !transient(err):
			return fmt.Errorf("%s: %w", w.what, err)
		case progressed:
			failures = 0
		}
		failures++
		wait, again := w.c.retry.wait(failures, after, w.c.chance())
		if w.begun {
			wait = w.wait(failures, after)
		} else if !again {
			return fmt.Errorf("%s: %w", w.what, err)
		}
		if w.begun && w.broke != nil && failures == 1 {
			w.broke(err)
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("%s: %w", w.what, context.Cause(ctx))
		}
	}
}

// wait is a random share of what the server asks for, doubled with every failure
// in a row, on top of a Retry-After, which is negative for none.
func (w *follower) wait(failures int, after time.Duration) time.Duration {
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

// connect reads one stream. It returns nil after the last event, whether there
// was any event, and the Retry-After of an answer that was none.
func (w *follower) connect(ctx context.Context) (progressed bool, after time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(watchSilence, func() { cancel(errSilent) })
	defer silent.Stop()
	cl := get(w.path, w.query)
	cl.accept, cl.timeout, cl.lastEvent = typeEvents, 0, w.last
	after, err = w.c.attempt(ctx, cl, func(resp *http.Response) error {
		defer func() { _ = resp.Body.Close() }()
		w.begun = true
		if resp.StatusCode == http.StatusNoContent {
			return nil // nothing has happened after the last event
		}
		var err error
		events := newSSEReader(&alarmed{resp.Body, silent})
		events.position = w.moved
		progressed, err = w.read(events)
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

func (w *follower) read(events *sseReader) (progressed bool, err error) {
	for {
		e, err := events.next()
		w.retry = events.retry
		if err != nil {
			return progressed, &transportError{fmt.Errorf("the stream of events broke: %w", err)}
		}
		news, err := w.take(e)
		progressed = progressed || news
		if errors.Is(err, errDone) {
			return progressed, nil
		}
		if err != nil {
			return progressed, err
		}
	}
}
