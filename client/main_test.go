package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// quick makes repeats cost nothing, so that a test may break many connections.
func quick() Retry { return Retry{Attempts: 5, Base: time.Microsecond, Max: time.Minute} }

// newClient returns a client of a server with one handler, which runs one
// request at a time and may therefore keep its notes in plain variables.
func newClient(t *testing.T, h http.HandlerFunc, opts ...Option) *Client {
	t.Helper()
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	opts = append([]Option{WithHTTPClient(&http.Client{Transport: tr}), WithRetry(quick())}, opts...)
	c, err := New(srv.URL, "key-1", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer writes a JSON answer.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// refuse writes a problem document.
func refuse(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// cut breaks the connection in the middle of whatever it was doing.
func cut() { panic(http.ErrAbortHandler) }

// roundTripper answers without a network, so that a synctest bubble's clock runs.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func offline(t *testing.T, retry Retry, f func(context.Context) *httptest.ResponseRecorder) *Client {
	t.Helper()
	rt := roundTripper(func(r *http.Request) (*http.Response, error) {
		rec := f(r.Context())
		if rec == nil {
			return nil, http.ErrServerClosed
		}
		return rec.Result(), nil
	})
	c, err := New("http://belfry.test", "", WithHTTPClient(&http.Client{Transport: rt}), WithRetry(retry))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
