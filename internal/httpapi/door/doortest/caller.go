// Package doortest asks a door for answers, as its clients do, and checks every
// one of them against the OpenAPI document of the door's own routes. It is for
// tests, and knows no resource.
package doortest

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// Host is the Host of the requests that httptest makes.
const Host = "example.com"

// NoType is the Content-Type of a body that comes without any.
const NoType = "none"

// Pages returns a guard.
func Pages(tb testing.TB, cfg sameorigin.Config) *sameorigin.Guard {
	tb.Helper()
	g, err := sameorigin.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// OwnPages returns the guard of a server on the loopback interface that goes by
// the name of [Host], too.
func OwnPages(tb testing.TB) *sameorigin.Guard {
	tb.Helper()
	return Pages(tb, sameorigin.Config{Listen: "127.0.0.1:8080", Allowed: []string{Host}})
}

// Caller calls at a door. It is as safe for concurrent use as the test is.
type Caller struct {
	*door.Door

	Spec *door.Description // the door's document
}

// New opens a door of these routes, whose configuration must be complete.
func New(tb testing.TB, cfg door.Config, routes []*door.Route) *Caller {
	tb.Helper()
	if cfg.About == nil {
		cfg.About = &door.About{Title: "Test"}
	}
	d, err := door.New(cfg, routes)
	if err != nil {
		tb.Fatal(err)
	}
	return &Caller{Door: d, Spec: door.Describe(cfg.About, routes)}
}

// Answer is what came back, with its problem if it is one.
type Answer struct {
	*httptest.ResponseRecorder

	Problem client.Problem
}

// Do makes a request and checks that the answer is what the document promises.
// Headers are names, each followed by its value. A body without a Content-Type
// gets the usual one of the route.
func (c *Caller) Do(tb testing.TB, method, target, body string, headers ...string) Answer {
	tb.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, target, nil)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	pattern := c.PatternOf(r)
	if body != "" && r.Header["Content-Type"] == nil {
		r.Header.Set("Content-Type", c.UsualType(pattern))
	}
	if r.Header.Get("Content-Type") == NoType {
		r.Header.Del("Content-Type")
	}
	got := Answer{ResponseRecorder: httptest.NewRecorder()}
	c.ServeHTTP(got, r)
	c.conforms(tb, pattern, got)
	if got.Code >= http.StatusBadRequest && got.Header().Get("Content-Type") == door.TypeProblem {
		Decode(tb, got.Body.Bytes(), &got.Problem)
	}
	return got
}

// Routes are those that the document lists.
func (c *Caller) Routes() []*door.Route {
	return slices.DeleteFunc(c.Door.Routes(), func(rt *door.Route) bool { return rt.Unlisted })
}

// UsualType is the Content-Type that clients send to a route.
func (c *Caller) UsualType(pattern string) string {
	for _, rt := range c.Routes() {
		if rt.Pattern() == pattern && len(rt.Takes) > 0 {
			return rt.Takes[0]
		}
	}
	return door.TypeJSON
}

// Want fails unless the answer has the status and, for a problem, the code.
func (a Answer) Want(tb testing.TB, status int, c door.Code) Answer {
	tb.Helper()
	if a.Code != status || a.Problem.Code != string(c) {
		tb.Fatalf("got %d %q, want %d %q: %s", a.Code, a.Problem.Code, status, c, a.Body)
	}
	return a
}

// Decode reads JSON.
func Decode(tb testing.TB, b []byte, into any) {
	tb.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		tb.Fatalf("not JSON: %v: %s", err, b)
	}
}

// conforms checks an answer against the OpenAPI document.
func (c *Caller) conforms(tb testing.TB, pattern string, got Answer) {
	tb.Helper()
	h, status, body := got.Header(), got.Code, got.Body.Bytes()
	for _, name := range []string{"X-Request-Id", "Cache-Control", "Cross-Origin-Resource-Policy"} {
		if h.Get(name) == "" {
			tb.Errorf("the answer has no %s", name)
		}
	}
	content := map[string]*huma.MediaType{door.TypeProblem: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}}
	if slices.ContainsFunc(c.Door.Routes(), func(rt *door.Route) bool { return rt.Unlisted && rt.Pattern() == pattern }) {
		return
	}
	if pattern != "/" {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.TrimSuffix(path, "{$}")
		response := OperationOf(c.Spec.Doc.Paths[path], method).Responses[strconv.Itoa(status)]
		if response == nil {
			tb.Fatalf("%s: status %d is not in the document: %s", pattern, status, body)
		}
		content = response.Content
	}
	if len(content) == 0 {
		if len(body) > 0 {
			tb.Fatalf("%s: %d must have no body: %s", pattern, status, body)
		}
		return
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		tb.Fatalf("%s: %d has the media type %q, which is not in the document: %s", pattern, status, h.Get("Content-Type"), body)
	}
	switch kind {
	case door.TypeJSON, door.TypeProblem:
		c.valid(tb, content[kind].Schema, body)
	case door.TypeNDJSON:
		for line := range bytes.Lines(body) {
			c.valid(tb, content[kind].Schema, line)
		}
	}
}

func (c *Caller) valid(tb testing.TB, schema *huma.Schema, body []byte) {
	tb.Helper()
	var v any
	Decode(tb, body, &v)
	res := &huma.ValidateResult{}
	huma.Validate(c.Spec.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, res)
	for _, err := range res.Errors {
		tb.Errorf("the answer is not of its schema: %v: %s", err, body)
	}
}

// OperationOf returns what a path's document says of a method; a zero operation if
// that is nothing.
func OperationOf(item *huma.PathItem, method string) *huma.Operation {
	if item == nil {
		return &huma.Operation{}
	}
	op := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch,
		http.MethodDelete: item.Delete,
	}[method]
	if op == nil {
		return &huma.Operation{}
	}
	return op
}

// Posted is a POST with a body of that media type.
func Posted(target, kind, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}
