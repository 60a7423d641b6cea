package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// event writes one event as the server does.
func event(w io.Writer, id, name string, sent int) {
	fmt.Fprintf(w, "id: %s\nevent: %s\ndata: {\"id\":\"bat_1\",\"state\":\"sending\",\"counts\":{\"accepted\":9,\"sent\":%d}}\n\n", id, name,
		sent)
}

// watched ranges over a watch.
func watched(ctx context.Context, c *Client) (sent []int64, last bool, err error) {
	for p, e := range c.Watch(ctx, "bat_1") {
		if e != nil {
			return sent, last, e
		}
		sent, last = append(sent, p.Counts.Sent), p.Last
	}
	return sent, last, nil
}

// A watch goes on over broken connections, with the id that it saw last, and
// ends with the done event.
func TestWatchReconnects(t *testing.T) {
	t.Parallel()

	var ids []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/notifications/bat_1/events" || r.Header.Get("Accept") != typeEvents {
			t.Errorf("%s %s", r.URL.Path, r.Header.Get("Accept"))
		}
		ids = append(ids, r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", typeEvents)
		_, _ = io.WriteString(w, "retry: 1\n\n:\n\n")
		switch len(ids) {
		case 1:
			event(w, "3", EventState, 0)
			event(w, "3", EventProgress, 1)
			_, _ = io.WriteString(w, "id: 4\ndata: {\"half")
			_ = http.NewResponseController(w).Flush()
			cut()
		case 2:
			event(w, "5", EventProgress, 2) // and a clean end without done
		case 3:
			refuse(w, Problem{Code: "unavailable", Status: http.StatusServiceUnavailable})
		default:
			event(w, "7", EventProgress, 9)
			event(w, "7.done", EventDone, 9)
			event(w, "8", EventProgress, 10) // nobody reads this
		}
	})
	sent, last, err := watched(t.Context(), c)
	if err != nil || !last || !slices.Equal(sent, []int64{1, 2, 9, 9}) {
		t.Errorf("saw %v, last %v, %v", sent, last, err)
	}
	if !slices.Equal(ids, []string{"", "3", "5", "5"}) {
		t.Errorf("asked with %q", ids)
	}
}

func TestWatchEndings(t *testing.T) {
	t.Parallel()

	none := Retry{Attempts: 3, Base: time.Microsecond}
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		code   string // of the problem; "" for no error
		calls  int
	}{
		"unknown":    {func(w http.ResponseWriter) { refuse(w, Problem{Code: "not_found", Status: 404}) }, "not_found", 1},
		"no answer":  {func(w http.ResponseWriter) { refuse(w, Problem{Code: "unavailable", Status: 503}) }, "unavailable", 3},
		"no content": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			cl := newClient(t, func(w http.ResponseWriter, _ *http.Request) { calls++; c.answer(w) }, WithRetry(none))
			_, _, err := watched(t.Context(), cl)
			if calls != c.calls || (err == nil) != (c.code == "") || err != nil && !IsProblem(err, c.code) {
				t.Errorf("%d calls, %v", calls, err)
			}
		})
	}
}

// Whoever leaves the loop leaves the connection.
func TestWatchBreaks(t *testing.T) {
	t.Parallel()

	left := make(chan struct{})
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		event(w, "1", EventProgress, 1)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	})
	for p, err := range c.Watch(t.Context(), "bat_1") {
		if err != nil || p.EventID != "1" {
			t.Errorf("got %+v, %v", p, err)
		}
		break
	}
	<-left
}

// trickle answers with a stream that says something, and then nothing.
type trickle struct{ ctx context.Context } //nolint:containedctx // it is the request's

func (s *trickle) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// A connection that is silent for three heartbeats is dead, whether it has
// answered or not.
func TestWatchOfASilentServer(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begun := time.Now()
		rt := roundTripper(func(r *http.Request) (*http.Response, error) {
			at = append(at, time.Since(begun))
			rec := httptest.NewRecorder()
			switch len(at) {
			case 1:
				event(rec, "1", EventProgress, 1)
			case 2:
				<-r.Context().Done()
				return nil, context.Cause(r.Context())
			default:
				event(rec, "2.done", EventDone, 9)
			}
			resp := rec.Result()
			resp.Body = io.NopCloser(io.MultiReader(resp.Body, &trickle{r.Context()}))
			return resp, nil
		})
		c, err := New("http://belfry.test", "", WithHTTPClient(&http.Client{Transport: rt}), WithRetry(Retry{Attempts: 1}))
		if err != nil {
			t.Fatal(err)
		}
		sent, last, err := watched(t.Context(), c)
		if err != nil || !last || len(sent) != 2 || len(at) != 3 || at[1] < watchSilence || at[2]-at[1] < watchSilence ||
			at[2] > 2*watchSilence+2*watchWait {
			t.Errorf("saw %v at %v, last %v, %v", sent, at, last, err)
		}
	})
}

func TestWatchCancelled(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		rt := roundTripper(func(r *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			event(rec, "1", EventProgress, 1)
			resp := rec.Result()
			resp.Body = io.NopCloser(io.MultiReader(resp.Body, &trickle{r.Context()}))
			return resp, nil
		})
		c, _ := New("http://belfry.test", "", WithHTTPClient(&http.Client{Transport: rt}))
		if _, _, err := watched(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// The examples of the specification, and what else a stream may hold
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
func TestSSEReader(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		in   string
		want []string // id|name|data
	}{
		"two lines of data": {"data: YHOO\ndata: +2\ndata: 10\n\n", []string{"||YHOO\n+2\n10"}},
		"a comment and ids": {
			": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
			[]string{"1||first event", "||second event", "|| third event"},
		},
		"empty data, no end":     {"data\n\ndata\ndata\n\ndata:", []string{"||", "||\n"}},
		"an optional space":      {"data:test\n\ndata: test\n\n", []string{"||test", "||test"}},
		"CRLF and CR":            {"event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\r", []string{"|a|1", "|b|2"}},
		"byte order mark":        {"\ufeffdata: 1\n\n", []string{"||1"}},
		"an event without data":  {"event: a\nid: 5\n\ndata: 1\n\n", []string{"5||1"}},
		"unknown fields, a NUL":  {"foo: bar\nid: 1\x002\ndata: x\n\n", []string{"||x"}},
		"an id stays":            {"id: 7\ndata: 1\n\ndata: 2\n\n", []string{"7||1", "7||2"}},
		"half an event":          {"data: 1\n\nevent: x\ndata: 2\n", []string{"||1"}},
		"nothing":                {"", nil},
		"retry in another shape": {"retry: soon\nretry: 250\ndata: 1\n\n", []string{"||1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSSEReader(strings.NewReader(c.in))
			var got []string
			for {
				e, err := r.next()
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					break
				}
				got = append(got, e.id+"|"+e.name+"|"+e.data)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if strings.Contains(c.in, "retry") && r.retry != 250*time.Millisecond {
				t.Errorf("retry is %v", r.retry)
			}
		})
	}
}

// Whatever comes, the reader ends, and how the bytes were cut into reads does
// not matter.
func FuzzSSEReader(f *testing.F) {
	for _, s := range []string{"data: 1\n\n", "id: 1\r\nevent: a\rdata: b\n\n\r\r", "\ufeff:\n\ndata", "retry: 9\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		read := func(r io.Reader) (out []sseEvent) {
			events := newSSEReader(r)
			for {
				e, err := events.next()
				if err != nil {
					return out
				}
				out = append(out, e)
			}
		}
		whole, cut := read(strings.NewReader(in)), read(&oneByOne{in})
		if !slices.Equal(whole, cut) {
			t.Errorf("whole %q, byte by byte %q", whole, cut)
		}
	})
}

type oneByOne struct{ left string }

func (o *oneByOne) Read(p []byte) (int, error) {
	if o.left == "" {
		return 0, io.EOF
	}
	n := copy(p[:1], o.left)
	o.left = o.left[n:]
	return n, nil
}
