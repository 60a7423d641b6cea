package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, url, key, want string }{
		{"no scheme", "127.0.0.1:8080", "", "base URL"},
		{"another scheme", "ftp://host", "", "must be http://host or https://host"},
		{"no host", "http://", "", "must be http://host or https://host"},
		{"user in it", "http://me:secret@host", "", "no user, query or fragment"},
		{"query", "http://host/?a=1", "", "no user, query or fragment"},
		{"key with a line break", "http://host", "a\nb", "printable ASCII"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.url, tt.key)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("error repeats a secret: %v", err)
			}
		})
	}
}

func TestClientPrintsWithoutItsKey(t *testing.T) {
	t.Parallel()

	c, err := New("http://host/prefix/", "hush-hush")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
		if s := fmt.Sprintf(verb, c); strings.Contains(s, "hush") || !strings.Contains(s, "http://host/prefix") {
			t.Errorf("%s prints %q", verb, s)
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()

	var got *http.Request
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		answer(w, http.StatusAccepted, Notification{ID: "ntf_1"})
	}, WithUserAgent("shop/2"))
	if _, err := c.Send(t.Context(), Request{}, WithIdempotencyKey("order-7")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Authorization": "Bearer key-1", "Content-Type": "application/json", "Accept": "application/json",
		"Idempotency-Key": "order-7", "User-Agent": "shop/2 belfry-client/1",
	}
	for name, value := range want {
		if v := got.Header.Get(name); v != value {
			t.Errorf("%s = %q, want %q", name, v, value)
		}
	}
	if got.Method+" "+got.URL.Path != "POST /v1/notifications" {
		t.Errorf("request was %s %s", got.Method, got.URL.Path)
	}
}

func TestBasePathAndIDsAreKept(t *testing.T) {
	t.Parallel()

	var path string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		answer(w, http.StatusOK, Notification{})
	})
	c.base.Path = "/push"
	if _, err := c.Notification(t.Context(), "a/../b"); err != nil {
		t.Fatal(err)
	}
	if want := "/push/v1/notifications/a%2F..%2Fb"; path != want {
		t.Errorf("path = %s, want %s", path, want)
	}
}

func TestErrorAnswers(t *testing.T) {
	t.Parallel()

	full := Problem{
		Type: "about:blank", Title: "Bad Request", Status: 400, Code: "invalid", RequestID: "req-1",
		Errors: []ProblemError{{Pointer: "/message", Code: "missing", Detail: "message is required"}},
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		status  int
		code    string
		text    string
	}{
		{"problem document", func(w http.ResponseWriter, _ *http.Request) { refuse(w, full) }, 400, "invalid", "/message: message is required"},
		{"a proxy's page", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<h1>No\nentry</h1>")
		}, 403, "http", "<h1>No entry</h1>"},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, 418, "http", "418 I'm a teapot"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, 302, "http", "302"},
		{"broken problem", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, "{")
		}, 409, "http", "{"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, tt.handler)
			_, err := c.Send(t.Context(), Request{})
			p, ok := errors.AsType[*Problem](err)
			if !ok {
				t.Fatalf("error = %v, want a *Problem", err)
			}
			if p.Status != tt.status || p.Code != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("problem = %d %q %q, want %d %q with %q", p.Status, p.Code, err, tt.status, tt.code, tt.text)
			}
			if !IsProblem(err, tt.code) || !IsProblem(err, "") || IsProblem(err, "other") || IsProblem(errors.New("x"), "") {
				t.Error("IsProblem does not tell this problem from others")
			}
		})
	}
}

// A server says its version with every answer, and with errors too.
func TestServerVersion(t *testing.T) {
	t.Parallel()

	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(VersionHeader, "v1.2.3")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(srv.Close)
	var seen []string
	c, err := New(srv.URL, "", WithHTTPClient(srv.Client()), WithServerVersion(func(v string) { seen = append(seen, v) }))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Notification(t.Context(), "ntf_1")
	status = http.StatusNotFound
	_, _ = c.Notification(t.Context(), "ntf_1")
	if want := []string{"v1.2.3", "v1.2.3"}; !slices.Equal(seen, want) {
		t.Errorf("versions %q, want %q", seen, want)
	}
}

func TestBadAnswer(t *testing.T) {
	t.Parallel()

	calls, version := 0, ""
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		if version != "" {
			w.Header().Set(VersionHeader, version)
		}
		fmt.Fprint(w, "not JSON")
	})
	_, err := c.Notification(t.Context(), "ntf_1")
	if foreign, ok := errors.AsType[*ForeignError](err); !ok || foreign.ContentType != "text/plain" || foreign.Excerpt != "not JSON" ||
		!strings.Contains(err.Error(), "is not Belfry but another program: it sent text/plain instead of application/json") {
		t.Errorf("error = %v", err)
	}
	calls, version = 0, "v1.2.3"
	_, err = c.Notification(t.Context(), "ntf_1")
	if err == nil || !strings.Contains(err.Error(), "decode the answer") {
		t.Errorf("error = %v", err)
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1: the same answer would come again", calls)
	}
}
