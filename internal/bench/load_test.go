package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// pair is a server that accepts and the simulator that it delivers to at once.
type pair struct {
	mu     sync.Mutex
	rows   []string
	posts  int
	high   int // of them
	resets int
	refuse func(post int) bool
	drop   func(post int) bool
}

func (p *pair) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/_sim/reset":
		p.rows = nil
		p.resets++
	case "/_sim/stats":
		_, _ = fmt.Fprintf(w, `{"accepted":%d}`, len(p.rows))
	case "/_sim/accepted":
		_, _ = io.WriteString(w, strings.Join(p.rows, "\n"))
	case "/v1/notifications":
		p.post(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *pair) post(w http.ResponseWriter, r *http.Request) {
	var in struct {
		To       struct{ Tokens []string }
		Priority string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.To.Tokens) != 1 {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	p.posts++
	if in.Priority == "high" {
		p.high++
	}
	if p.refuse(p.posts) {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	row := fmt.Sprintf(`{"token":%q,"at":%q}`, in.To.Tokens[0], time.Now().Format(time.RFC3339Nano))
	p.rows = append(p.rows, row)
	if p.drop(p.posts) {
		p.rows[len(p.rows)-1] = `{"token":"another's","at":"2026-01-01T00:00:00Z"}`
	}
	w.WriteHeader(http.StatusAccepted)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	never, third := func(int) bool { return false }, func(post int) bool { return post == 3 }
	for _, c := range []struct {
		name         string
		refuse, drop func(int) bool
		fault        string
	}{
		{"all accepted", never, never, ""},
		{"one refused", third, never, "1 requests failed: answer 503"},
		{"one lost", never, third, "1 notifications were accepted and not delivered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(&pair{refuse: c.refuse, drop: c.drop})
			defer srv.Close()
			l, done := newLoad(srv.URL, srv.URL+"/v1")
			defer done()
			const rate, lasts = 100, 100 * time.Millisecond
			for range 2 { // a second load does not count the first one's
				a, err := l.put(t.Context(), rate, lasts)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(a.accepted) + a.refused; n != 10 {
					t.Errorf("%d requests, want 10", n)
				}
				if err := a.fault(); (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("fault %v, want %q", err, c.fault)
				}
				if c.fault != "" {
					return
				}
				for i, d := range a.accepted {
					if d < a.late[0] || a.called[i] <= 0 {
						t.Errorf("accepted %v, called %v, late %v", a.accepted, a.called, a.late)
					}
				}
			}
		})
	}
}

// TestLoadBesideOthers: what a batch sends meanwhile neither counts nor is forgotten, and the load has high priority.
func TestLoadBesideOthers(t *testing.T) {
	t.Parallel()
	never := func(int) bool { return false }
	p := &pair{refuse: never, drop: never}
	for i := range 1000 {
		p.rows = append(p.rows, fmt.Sprintf(`{"token":"bench-%d","at":"2026-01-01T00:00:00Z"}`, i))
	}
	srv := httptest.NewServer(p)
	defer srv.Close()
	l, done := newLoad(srv.URL, srv.URL+"/v1")
	defer done()
	l.high = true
	a, err := l.put(t.Context(), 100, 100*time.Millisecond)
	if err != nil || a.fault() != nil || len(a.called) != 10 || a.called[0] <= 0 {
		t.Fatalf("%v, %v, called %v", err, a.fault(), a.called)
	}
	if p.high != 10 || p.resets != 0 {
		t.Errorf("%d of high priority, want 10; %d resets, want none", p.high, p.resets)
	}
}

// A server that answers late must not make later requests look quick: they are
// sent at their time all the same.
func TestLoadDoesNotWaitForAnswers(t *testing.T) {
	t.Parallel()
	const n = 20
	p := &pair{refuse: func(int) bool { return false }, drop: func(int) bool { return false }}
	var here sync.WaitGroup
	here.Add(n)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/v1/notifications" {
			here.Done()
			here.Wait() // no answer before all requests are there: a closed loop would wait for ever
		}
		p.ServeHTTP(w, r)
	}))
	defer srv.Close()
	l, done := newLoad(srv.URL, srv.URL+"/v1")
	defer done()
	a, err := l.put(t.Context(), 10*n, time.Second/10)
	if err != nil || a.fault() != nil || len(a.accepted) != n {
		t.Fatalf("%v, %v, %d accepted", err, a.fault(), len(a.accepted))
	}
}

func TestHighest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ guess, limit, least int }{{1700, 5000, 4762}, {1700, 400, 381}, {100, 100, 96}, {4, 0, 0}} {
		got, err := highest(c.guess, func(rate int) (bool, error) { return rate <= c.limit, nil })
		if err != nil || got > c.limit || got < c.least {
			t.Errorf("from %d, to %d: found %d, %v", c.guess, c.limit, got, err)
		}
	}
}

func TestMissed(t *testing.T) {
	t.Parallel()
	const limit, lasted = 50 * time.Millisecond, 10 * time.Second
	of := func(accepted, called time.Duration) *arrivals {
		return &arrivals{accepted: []time.Duration{accepted}, called: []time.Duration{called}}
	}
	for want, a := range map[string]*arrivals{
		"":                       of(limit, time.Second),
		"; missed":               of(limit+1, time.Second),
		"deliveries fall behind": of(limit, time.Second+1),
		"nothing was accepted":   {},
	} {
		if got := a.missed(limit, lasted); !strings.HasSuffix(got, want) || (got == "") != (want == "") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
