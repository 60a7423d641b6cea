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

// told writes one event of a tail as the server does.
func told(w io.Writer, id, kind, subject string) {
	if kind == string(TailGap) {
		_, _ = fmt.Fprintf(w, "id: %s\nevent: gap\ndata: {\"events\":%s}\n\n", id, subject)
		return
	}
	_, _ = fmt.Fprintf(w, "id: %s\nevent: %s\ndata: {\"specversion\":\"1.0\",\"id\":\"e\",\"subject\":%q,\"data\":{}}\n\n", id, kind, subject)
}

// A tail goes on over broken connections and restarts of the server, from the position that it had last, even if that came
// without an event; gaps are told in their place.
func TestTailReconnects(t *testing.T) {
	t.Parallel()
	var ids, broke []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		const want = "/v1/events?class=permanent&code=fcm&id=bat_1&label=team%3Dads&tenant=acme&type=accepted&type=outcome"
		if got := r.URL.RequestURI(); got != want {
			t.Errorf("asked for %s", got)
		}
		ids = append(ids, r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", typeEvents)
		switch len(ids) {
		case 1:
			_, _ = io.WriteString(w, "retry: 1\n\nid: a.1\n\n")
			told(w, "a.2", "accepted", "one")
			_, _ = io.WriteString(w, "id: a.3\ndata: {\"half")
			_ = http.NewResponseController(w).Flush()
			cut()
		case 2:
			_, _ = io.WriteString(w, "id: a.7\n\n: come back\n\n") // nothing for it, and the server stops
		case 3:
			refuse(w, Problem{Code: "unavailable", Status: http.StatusServiceUnavailable}) // and starts again
		case 4:
			told(w, "a.9", "gap", "2")
			told(w, "b.1", "gap", "null")
			told(w, "b.2", "news", "of a later version")
		default:
			refuse(w, Problem{Code: "forbidden", Status: http.StatusForbidden})
		}
	})
	f := TailFilter{
		Kinds: []TailKind{TailAccepted, TailOutcome}, Tenant: "acme", IDs: []string{"bat_1"}, Labels: []string{"team=ads"},
		Codes: []string{"fcm"}, Classes: []string{"permanent"}, After: "a.0", Broke: func(err error) { broke = append(broke, err.Error()) },
	}
	var got []string
	var end error
	for e, err := range c.Tail(t.Context(), f) {
		switch {
		case err != nil:
			end = err
		case e.Kind == TailGap && e.Missing.Events != nil:
			got = append(got, fmt.Sprintf("%s gap %d", e.Position, *e.Missing.Events))
		case e.Kind == TailGap:
			got = append(got, e.Position+" gap")
		default:
			got = append(got, fmt.Sprint(e.Position, " ", e.Kind, " ", e.Event.Subject))
		}
	}
	if !IsProblem(end, "forbidden") {
		t.Errorf("it ends with %v", end)
	}
	if want := []string{"a.2 accepted one", "a.9 gap 2", "b.1 gap", "b.2 news of a later version"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if want := []string{"a.0", "a.2", "a.7", "a.7", "b.2"}; !slices.Equal(ids, want) {
		t.Errorf("asked with %q", ids)
	}
	if len(broke) == 0 || strings.Contains(strings.Join(broke, " "), "forbidden") {
		t.Errorf("told of %q", broke)
	}
}

// Whoever leaves the loop leaves the connection.
func TestTailLeft(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		told(w, "a.1", "audit", "one")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	})
	for e, err := range c.Tail(t.Context(), TailFilter{}) {
		if err != nil || e.Kind != TailAudit {
			t.Errorf("got %+v, %v", e, err)
		}
		break
	}
	<-left
}

// The end of a context ends a tail, with its cause, also while nothing comes; what is no event ends it with an error.
func TestTailEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, x := range map[string]struct {
			text string
			want error
		}{
			"cancelled": {"", context.DeadlineExceeded},
			"no event":  {"id: 1\nevent: accepted\ndata: nonsense\n\n", nil},
			"no gap":    {"id: 1\nevent: gap\ndata: []\n\n", nil},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
			rt := roundTripper(func(r *http.Request) (*http.Response, error) {
				rec := httptest.NewRecorder()
				_, _ = io.WriteString(rec, x.text)
				resp := rec.Result()
				resp.Body = io.NopCloser(io.MultiReader(resp.Body, &trickle{r.Context()}))
				return resp, nil
			})
			c, err := New("http://belfry.test", "", WithHTTPClient(&http.Client{Transport: rt}))
			if err != nil {
				t.Fatal(err)
			}
			var end error
			for e, err := range c.Tail(ctx, TailFilter{}) {
				if end = err; err == nil {
					t.Errorf("%s: got %+v", name, e)
				}
			}
			if end == nil || x.want != nil && !errors.Is(end, x.want) {
				t.Errorf("%s: it ends with %v", name, end)
			}
			cancel()
		}
	})
}
